"""Any folder of videos or images, read recursively, without labels."""

from pathlib import Path
from typing import Any, Literal

from torch import Tensor
from typing_extensions import override

from blackbox_anon.datasets.abstract import AbstractDataset
from blackbox_anon.datasets.image import read_image
from blackbox_anon.decoding import ClipReader
from blackbox_anon.errors import DatasetNotFoundError

SUFFIXES = {
    "videos": frozenset({".avi", ".mp4", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"}),
    "images": frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}),
}


def media_files(root: str | Path, kind: Literal["videos", "images"]) -> list[Path]:
    """Files of one kind below a folder, by suffix, hidden files left out.

    Args:
        root: The folder.
        kind: ``videos`` or ``images``.

    Returns:
        Paths sorted by name.
    """
    visible = (path for path in Path(root).rglob("*") if not path.name.startswith("."))
    return sorted(path for path in visible if path.suffix.lower() in SUFFIXES[kind])


class MediaFolder(AbstractDataset):
    """The videos, or the images, of a folder of your own.

    Takes any tree; suffixes tell videos from images. A sample is ``frames`` ``(T, 3, H, W)`` or
    ``(3, H, W)`` in ``[0, 1]`` and ``name``, the path relative to ``root``.

    Args:
        root: The folder, searched recursively.
        kind: ``videos`` or ``images``; shapes differ, so one dataset holds one kind.
        reader: How videos become frames; images take its ``size`` and ``crop``. ``None`` is
            ``ClipReader()``.

    Raises:
        DatasetNotFoundError: If the folder has no file of that kind.
    """

    def __init__(
        self,
        root: str | Path,
        kind: Literal["videos", "images"] = "videos",
        *,
        reader: ClipReader | None = None,
    ) -> None:
        self.root = Path(root)
        self.kind = kind
        self.reader = reader or ClipReader()
        self.files = media_files(root, kind)
        if not self.files:
            raise DatasetNotFoundError(
                f"{root}: expected {kind} ({', '.join(sorted(SUFFIXES[kind]))}), found none"
            )
        self.names = [path.relative_to(self.root).as_posix() for path in self.files]
        self.classes: list[str] = []
        self.attributes: list[str] = []

    @override
    def file(self, index: int) -> Path:
        return self.files[index]

    @override
    def targets(self, index: int) -> dict[str, Any]:
        return {}

    @override
    def frames(self, index: int) -> Tensor:
        path = self.files[index]
        if self.kind == "videos":
            return self.reader(path)
        return read_image(path, self.reader.size, crop=self.reader.crop)
