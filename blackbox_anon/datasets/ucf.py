"""UCF101 from its official folders and lists."""

from pathlib import Path
from typing import Literal

from blackbox_anon.datasets.action_clips import ActionClips, check_split
from blackbox_anon.datasets.lists import read_lines
from blackbox_anon.datasets.video_files import videos_of
from blackbox_anon.decoding import ClipReader
from blackbox_anon.errors import DatasetNotFoundError

VIDEO_FOLDERS = ("UCF-101", "UCF101", "videos")

EXPECTED = """expected
  <root>/UCF-101/<Class>/v_<Class>_gXX_cYY.avi
  <root>/ucfTrainTestlist/{classInd,trainlist01,testlist01}.txt
Get UCF101.rar and UCF101TrainTestSplits-RecognitionTask.zip from the UCF101 page of the Center
for Research in Computer Vision (CRCV), University of Central Florida, and unpack both there."""


class UCF101(ActionClips):
    """UCF101: 13,320 clips of 101 human actions, in three official splits.

    Expects ``<root>/UCF-101/<Class>/v_<Class>_gXX_cYY.avi`` and ``<root>/ucfTrainTestlist/`` as
    the archives unpack; ``UCF101`` or ``videos`` also serve as the video folder, clips may lie
    flat in it, and letter case does not matter (the class is ``HandstandPushups``, its clips
    ``v_HandStandPushups_*``). ``label`` is the id in ``classInd.txt`` minus one, which is not the
    alphabetical order; labels in a list are not read, altered test lists have them too. A listed
    clip that is not on disk is an unreadable sample. The authors state no licence; cite Soomro et
    al., `UCF101 <https://arxiv.org/abs/1212.0402>`_ (2012).

    A sample is ``frames`` ``(T, 3, H, W)`` in ``[0, 1]``, ``label``, ``name`` as in the list.

    Args:
        root: The folder with the videos and the lists.
        split: Official split.
        train: Its train list, else its test list.
        reader: How clips become frames; ``None`` is ``ClipReader()``.

    Raises:
        DatasetNotFoundError: If the videos folder or a list is missing, or a list is damaged.
        ValueError: If ``split`` is not 1, 2 or 3.
    """

    def __init__(
        self,
        root: str | Path,
        split: Literal[1, 2, 3] = 1,
        *,
        train: bool = True,
        reader: ClipReader | None = None,
    ) -> None:
        check_split(split)
        classes = ucf101_classes(root)
        list_name = f"{'train' if train else 'test'}list{split:02d}.txt"
        names, labels = _listed(_list_file(Path(root), list_name), classes)
        super().__init__(
            names,
            labels,
            classes=classes,
            videos=videos_of(root, VIDEO_FOLDERS, classes, f"UCF101 {EXPECTED}"),
            reader=reader,
        )


def ucf101_classes(root: str | Path) -> list[str]:
    """Official class names by label; reads ``classInd.txt`` and needs no video.

    Args:
        root: As for :class:`UCF101`.

    Returns:
        Names in the order of their ids.

    Raises:
        DatasetNotFoundError: If the file is missing or is not ``<id> <Class>`` with ids 1, 2, ...
    """
    file = _list_file(Path(root), "classInd.txt")
    rows = [line.split() for line in read_lines(file)]
    if not rows or [row[0] for row in rows] != [str(i + 1) for i in range(len(rows))]:
        raise DatasetNotFoundError(f"{file}: expected lines '1 <Class>', '2 <Class>', ... in order")
    return [row[-1] for row in rows]


def _listed(file: Path, classes: list[str]) -> tuple[list[str], list[int]]:
    ids = {name.lower(): label for label, name in enumerate(classes)}
    names = [line.split()[0].replace("\\", "/") for line in read_lines(file)]
    unknown = [name for name in names if name.split("/")[0].lower() not in ids]
    if unknown or not names:
        found = f"unknown class in {unknown[0]!r}" if unknown else "an empty list"
        raise DatasetNotFoundError(f"{file}: expected <Class>/<clip>.avi lines, found {found}")
    return names, [ids[name.split("/")[0].lower()] for name in names]


def _list_file(root: Path, name: str) -> Path:
    file = root / "ucfTrainTestlist" / name
    if not file.is_file():
        raise DatasetNotFoundError(f"UCF101 not found: no {file};\n{EXPECTED}")
    return file
