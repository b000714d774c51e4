"""Any folder of videos or images, read recursively, without labels."""

from pathlib import Path
from typing import Any, Literal

from torch.utils.data import Dataset

from blackbox_anon.datasets.image import read_image
from blackbox_anon.datasets.resizing import Crop
from blackbox_anon.datasets.video import read_clip
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


class MediaFolder(Dataset[dict[str, Any]]):
    """The videos, or the images, of a folder of your own.

    Takes any tree; suffixes tell videos from images. A sample is ``frames`` ``(T, 3, H, W)`` or
    ``(3, H, W)`` in ``[0, 1]`` and ``name``, the path relative to ``root``.

    Args:
        root: The folder, searched recursively.
        kind: ``videos`` or ``images``; shapes differ, so one dataset holds one kind.
        clip_frames: Frames per video, uniformly spaced.
        size: Side of a frame in pixels; ``None`` keeps the native size.
        crop: See :func:`~blackbox_anon.datasets.resize`.

    Raises:
        DatasetNotFoundError: If the folder has no file of that kind.
    """

    def __init__(
        self,
        root: str | Path,
        kind: Literal["videos", "images"] = "videos",
        *,
        clip_frames: int = 8,
        size: int | None = 224,
        crop: Crop = "center",
    ) -> None:
        self.root = Path(root)
        self.kind = kind
        self.clip_frames = clip_frames
        self.size = size
        self.crop: Crop = crop
        self.files = media_files(root, kind)
        if not self.files:
            raise DatasetNotFoundError(
                f"{root}: expected {kind} ({', '.join(sorted(SUFFIXES[kind]))}), found none"
            )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> dict[str, Any]:
        path = self.files[index]
        if self.kind == "videos":
            frames = read_clip(path, self.clip_frames, self.size, crop=self.crop)
        else:
            frames = read_image(path, self.size, crop=self.crop)
        return {
            "frames": frames.float() / 255,
            "name": path.relative_to(self.root).as_posix(),
        }
