"""A folder of one's own videos and images."""

from collections.abc import Mapping
from typing import Literal

from blackbox_anon.datamodules.abstract import AbstractDataModule, Role
from blackbox_anon.datasets import MediaFolder, media_files
from blackbox_anon.decoding import ClipReader
from blackbox_anon.errors import DatasetNotFoundError

KINDS: tuple[tuple[Literal["videos", "images"], Role], ...] = (
    ("videos", "utility"),
    ("images", "privacy"),
)
"""What a folder may hold, and whose batch size it takes."""


def own_media(
    folder: str, modules: Mapping[Role, AbstractDataModule]
) -> list[tuple[Role, MediaFolder]]:
    """The videos, then the images, read as the utility set reads its clips.

    Args:
        folder: Searched recursively.
        modules: The sets, by role; the first has the reader.

    Returns:
        For each kind there is, the role whose batch size it takes, and the files.

    Raises:
        DatasetNotFoundError: If the folder has neither.
    """
    reader = getattr(modules["utility"], "reader", None) or ClipReader()  # photographs have none
    found = [
        (role, MediaFolder(folder, kind, reader=reader))
        for kind, role in KINDS
        if media_files(folder, kind)
    ]
    if not found:
        raise DatasetNotFoundError(
            f"predict_folder: expected videos or images below {folder}, found none"
        )
    return found
