"""Read official list files, whatever their line ends, byte order mark and letter case."""

import csv
import logging
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from blackbox_anon.errors import DatasetNotFoundError

logger = logging.getLogger(__name__)


def read_lines(file: Path) -> list[str]:
    """Lines that are not blank, stripped, each once.

    Bytes that are no UTF-8 survive as they do in file names, so names still match.

    Args:
        file: A text file.

    Returns:
        The lines in order.
    """
    text = file.read_text("utf-8-sig", errors="surrogateescape")
    return unique([line.strip() for line in text.splitlines() if line.strip()], file)


def unique(lines: Iterable[str], file: Path) -> list[str]:
    """Drop repetitions, keep the order, and say how many there were.

    Args:
        lines: What was read.
        file: Where from, for the message.

    Returns:
        Every line once.
    """
    lines = list(lines)
    once = list(dict.fromkeys(lines))
    if len(once) < len(lines):
        logger.warning("%s: %d repeated entries left out", file, len(lines) - len(once))
    return once


def read_table(file: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a CSV file with a header.

    Args:
        file: The table.
        columns: Columns it must have; others are kept.

    Returns:
        A cell by column, for each row.

    Raises:
        DatasetNotFoundError: If a column is missing.
    """
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.DictReader(stream)
        missing = set(columns) - set(rows.fieldnames or ())
        if missing:
            raise DatasetNotFoundError(
                f"{file}: expected the columns {', '.join(columns)}; "
                f"found none named {sorted(missing)}"
            )
        return list(rows)


def name_key(name: str) -> str:
    """What two spellings of one clip have in common: letter case, suffix and accents aside.

    Args:
        name: For example ``HandstandPushups/v_HandStandPushups_g01_c01.avi``.

    Returns:
        A key, such as ``handstandpushups/v_handstandpushups_g01_c01``.
    """
    path = PurePosixPath(unicodedata.normalize("NFC", name.replace("\\", "/")).casefold())
    return (path.parent / path.stem).as_posix()
