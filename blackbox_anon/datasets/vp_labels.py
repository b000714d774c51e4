"""The label files of VP-HMDB51 and VP-UCF101: the authors' pickle, or the same as a table."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import override

from blackbox_anon.datasets.attributes import VITA_ATTRIBUTES
from blackbox_anon.datasets.lists import name_key, read_table
from blackbox_anon.errors import DatasetNotFoundError

EXPECTED = """expected one of
  <root>/{stem}_privacy_attribute_label.pickle
  <root>/annotations/{stem}_privacy_attribute_label.pickle
  <root>/vp_{stem}.csv                  clip,skin_color,face,gender,nudity,relationship
Get the pickle from the folder annotations of the repository stprivacy on GitHub ("STPrivacy:
Spatio-Temporal Privacy-Preserving Action Recognition")."""


def read_vp_labels(root: str | Path, stem: str) -> dict[str, tuple[float, ...]]:
    """Read the video-level labels, five columns as ``VITA_ATTRIBUTES``.

    Args:
        root: The folder of the label file.
        stem: ``hmdb51`` or ``ucf101``.

    Returns:
        :func:`~blackbox_anon.datasets.lists.name_key` of a clip to its labels.

    Raises:
        DatasetNotFoundError: If there is no label file, or it is damaged.
    """
    pickled = f"{stem}_privacy_attribute_label.pickle"
    for file in (Path(root) / pickled, Path(root) / "annotations" / pickled):
        if file.is_file():
            return _from_pickle(file)
    table = Path(root) / f"vp_{stem}.csv"
    if table.is_file():
        return _from_table(table)
    raise DatasetNotFoundError(
        f"VP-{stem.upper()} not found: no {Path(root) / pickled};\n{EXPECTED.format(stem=stem)}"
    )


def _from_table(file: Path) -> dict[str, tuple[float, ...]]:
    rows = read_table(file, ["clip", *VITA_ATTRIBUTES])
    return {name_key(row["clip"]): tuple(float(row[a]) for a in VITA_ATTRIBUTES) for row in rows}


def _from_pickle(file: Path) -> dict[str, tuple[float, ...]]:
    try:
        with file.open("rb") as stream:
            found = _ArraysOnly(stream, encoding="latin1").load()
        labels = {name_key(clip): np.asarray(row, float).reshape(-1) for clip, row in found.items()}
        if any(row.shape != (len(VITA_ATTRIBUTES),) for row in labels.values()):
            raise ValueError(f"a row is not of {len(VITA_ATTRIBUTES)} numbers")
    except (pickle.UnpicklingError, EOFError, AttributeError, ValueError, TypeError) as error:
        raise DatasetNotFoundError(
            f"{file}: expected a dictionary of arrays (1, 5), found {error}"
        ) from error
    return {clip: tuple(row.tolist()) for clip, row in labels.items()}


class _ArraysOnly(pickle.Unpickler):
    """A pickle may run any code; this one makes NumPy arrays and nothing else."""

    ALLOWED = frozenset({"_reconstruct", "scalar", "ndarray", "dtype", "_frombuffer"})

    @override
    def find_class(self, module_name: str, global_name: str, /) -> Any:  # pickle's signature
        if module_name.split(".")[0] == "numpy" and global_name in self.ALLOWED:
            return super().find_class(module_name.replace("numpy.core", "numpy._core"), global_name)
        if (module_name, global_name) == ("_codecs", "encode"):
            return super().find_class(module_name, global_name)
        raise pickle.UnpicklingError(f"{module_name}.{global_name}, which is no array")
