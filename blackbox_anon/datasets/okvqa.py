"""OK-VQA: questions about COCO images that need knowledge beyond the image."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from torch import Tensor
from typing_extensions import override

from blackbox_anon.datasets.abstract import AbstractDataset
from blackbox_anon.datasets.image import read_image
from blackbox_anon.datasets.okvqa_questions import (
    CATEGORIES,
    EXPECTED,
    AnswerField,
    OKVQASplit,
    read_questions,
)
from blackbox_anon.datasets.resizing import Crop
from blackbox_anon.errors import DatasetNotFoundError

PEOPLE_AND_SPORTS = ("People and Everyday life", "Sports and Recreation")
"""The two categories with the most people, which the paper trains and tests on."""


class OKVQA(AbstractDataset):
    """OK-VQA v1.1: 9,009 training and 5,046 test questions, five annotators each.

    Expects ``OpenEnded_mscoco_<split>_questions.json``, ``mscoco_<split>_annotations.json`` and
    the images ``<split>/COCO_<split>_<12 digits>.jpg`` in ``root``. ``val2014`` is the test split;
    there is none for validation. Each of the five annotators' answers is listed twice; ``answer``
    is stemmed, ``raw_answer`` is as it was typed. A question without its image file is an
    unreadable sample. CC BY 4.0 (questions), COCO's terms (images); cite Marino et al., `OK-VQA
    <https://arxiv.org/abs/1906.00067>`_ (2019).

    A sample is ``frames`` ``(3, H, W)`` in ``[0, 1]``, ``question``, ``answers`` (a list of texts),
    and ``name``, ``<split>/<question id>``.

    Args:
        root: The folder with the files.
        split: ``train2014`` or ``val2014``.
        categories: Names of question types to keep, letter case aside; ``None`` keeps all.
        answers: Which form of the answers a sample has; the official evaluation reads ``answer``.
        size: Side of an image in pixels; ``None`` keeps the native size.
        crop: See :func:`~blackbox_anon.datasets.resize`.

    Raises:
        DatasetNotFoundError: If a file or the image folder is missing, or a file is damaged.
        ValueError: If an argument names nothing that exists.
    """

    def __init__(
        self,
        root: str | Path,
        split: OKVQASplit = "train2014",
        *,
        categories: Sequence[str] | None = PEOPLE_AND_SPORTS,
        answers: AnswerField = "answer",
        size: int | None = 224,
        crop: Crop = "center",
    ) -> None:
        if split not in get_args(OKVQASplit):
            raise ValueError(f"split: expected train2014 or val2014, found {split!r}")
        if answers not in get_args(AnswerField):
            raise ValueError(f"answers: expected 'answer' or 'raw_answer', found {answers!r}")
        kept = _known(categories)
        self.folder = image_folder(root, split)
        self.split = split
        self.size = size
        self.crop: Crop = crop
        self.classes: list[str] = []
        self.attributes: list[str] = []
        questions = read_questions(root, split, answers)
        self.questions = [q for q in questions if not kept or q.category.casefold() in kept]
        if not self.questions:
            raise DatasetNotFoundError(f"OK-VQA {split}: expected questions of {kept}, found none")
        self.names = [f"{split}/{question.question_id}" for question in self.questions]

    @property
    @override
    def origins(self) -> list[str]:
        return [image_name(self.split, question.image_id) for question in self.questions]

    @override
    def file(self, index: int) -> Path:
        return self.folder / image_name(self.split, self.questions[index].image_id)

    @override
    def targets(self, index: int) -> dict[str, Any]:
        question = self.questions[index]
        return {"question": question.text, "answers": list(question.answers)}

    @override
    def frames(self, index: int) -> Tensor:
        return read_image(self.file(index), self.size, crop=self.crop)


def image_name(split: str, image_id: int) -> str:
    """COCO's file name of an image.

    Example:
        >>> image_name("train2014", 51606)
        'COCO_train2014_000000051606.jpg'
    """
    return f"COCO_{split}_{image_id:012d}.jpg"


def image_folder(root: str | Path, split: str) -> Path:
    """Folder of a split's images.

    Raises:
        DatasetNotFoundError: If there is none.
    """
    folder = Path(root) / split
    if not folder.is_dir():
        raise DatasetNotFoundError(f"OK-VQA not found: no folder {folder};\n{EXPECTED}")
    return folder


def _known(categories: Sequence[str] | None) -> set[str]:
    wanted = {name.casefold() for name in categories or ()}
    known = {name.casefold() for name in CATEGORIES.values()}
    if wanted - known or (categories is not None and not wanted):
        raise ValueError(
            f"categories: expected names among {sorted(CATEGORIES.values())} or None, "
            f"found {list(categories or ())}"
        )
    return wanted
