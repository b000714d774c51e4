"""Find the clips of a list among the files of a folder."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from blackbox_anon.datasets.folder import media_files
from blackbox_anon.datasets.lists import name_key
from blackbox_anon.errors import DatasetNotFoundError


class VideoFiles:
    """The videos below a folder, by class and clip.

    Letter case, suffix and Unicode form do not matter, and clips may lie flat: macOS writes
    accents in two characters, copies circulate as MP4, and UCF101 has ``HandstandPushups`` with
    clips ``v_HandStandPushups_*``.

    Args:
        folder: Searched recursively.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, Path] = {}
        for file in media_files(folder, "videos"):
            key = name_key(f"{file.parent.name}/{file.name}")
            for known_as in (key + file.suffix.lower(), key, PurePosixPath(key).name):
                self._files.setdefault(known_as, file)

    def __len__(self) -> int:
        return len(set(self._files.values()))

    def find(self, name: str) -> Path:
        """The file of a clip.

        Args:
            name: ``<Class>/<clip>.avi``, as lists have it.

        Returns:
            Its path; where there is none, the path it should have.
        """
        key = name_key(name)
        suffix = PurePosixPath(name).suffix.lower()
        candidates = (key + suffix, key, PurePosixPath(key).name)
        found = (self._files[known_as] for known_as in candidates if known_as in self._files)
        return next(found, self.folder / name)


def video_folder(root: Path, folders: Sequence[str], classes: Sequence[str]) -> Path | None:
    """The folder with the class folders.

    Args:
        root: Where the user put the data set.
        folders: Names the archives unpack to.
        classes: Class names, which may also lie in ``root`` itself.

    Returns:
        The folder, or ``None``.
    """
    named = (root / folder for folder in folders if (root / folder).is_dir())
    return next(named, root if any((root / name).is_dir() for name in classes) else None)


def videos_of(
    root: str | Path, folders: Sequence[str], classes: Sequence[str], expected: str
) -> VideoFiles:
    """Index the videos of a data set.

    Args:
        root: See :func:`video_folder`.
        folders: See there.
        classes: See there.
        expected: The layout and where to get it, for the error.

    Returns:
        The index.

    Raises:
        DatasetNotFoundError: If there is no such folder.
    """
    folder = video_folder(Path(root), folders, classes)
    if folder is None:
        raise DatasetNotFoundError(f"no folder {Path(root) / folders[0]};\n{expected}")
    return VideoFiles(folder)
