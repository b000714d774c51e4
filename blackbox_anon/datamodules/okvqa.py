"""OK-VQA for utility, its private attributes for privacy tests."""

from typing import ClassVar, Literal

from typing_extensions import override

from blackbox_anon.datamodules.abstract import Role, Stage
from blackbox_anon.datamodules.attributed import AbstractAttributedDataModule
from blackbox_anon.datasets import (
    OKVQA,
    PEOPLE_AND_SPORTS,
    VISPR1_ATTRIBUTES,
    AbstractDataset,
    AnswerField,
    Crop,
    OKVQAPrivacy,
)
from blackbox_anon.datasets.okvqa_questions import EXPECTED

OFFICIAL = {"train": 9009, "val": 5046, "test": 5046}
"""Questions of all categories."""


class OKVQADataModule(AbstractAttributedDataModule):
    """Questions of OK-VQA, and the private attributes of its test images.

    Trains on the questions of ``train2014``; validates and tests on those of ``val2014``, as OK-VQA
    has no validation split. Attributes are known of ``val2014`` only: as a set for privacy it can
    be tested on, not trained on, so the paper trains with VISPR's attributes.

    Args:
        root: See :class:`~blackbox_anon.datasets.OKVQA`.
        privacy_root: Folder with ``annotations.json``, see
            :class:`~blackbox_anon.datasets.OKVQAPrivacy`, and ``val2014``; ``None`` is ``root``.
        categories: Question types to keep: the paper's two (``people_and_sports``), ``all``, or
            names.
        answers: ``answer``, stemmed, which the official evaluation reads, or ``raw_answer``.
        attributes: Ids in the order of the label columns; ``None`` is VISPR1's seven.
        size: Side of an image in pixels.
        crop: See :func:`~blackbox_anon.datasets.resize`.
        batch_size: Samples per batch and device.
        num_workers: Worker processes per loader.
        max_unreadable: Different files that may fail before the run is stopped.
        seed: Seed of the shuffle.
    """

    title: ClassVar[str] = "OK-VQA"
    roles: ClassVar[tuple[Role, ...]] = ("utility", "privacy")
    source: ClassVar[str] = "coco2014"
    instructions: ClassVar[str] = EXPECTED

    def __init__(
        self,
        root: str,
        *,
        privacy_root: str | None = None,
        categories: Literal["people_and_sports", "all"] | list[str] = "people_and_sports",
        answers: AnswerField = "answer",
        attributes: list[str] | None = None,
        size: int | None = 224,
        crop: Crop = "center",
        batch_size: int = 8,
        num_workers: int = 2,
        max_unreadable: int = 10,
        seed: int = 0,
    ) -> None:
        super().__init__(
            batch_size=batch_size, num_workers=num_workers, max_unreadable=max_unreadable, seed=seed
        )
        self.root, self.privacy_root = root, privacy_root or root
        named = {"people_and_sports": list(PEOPLE_AND_SPORTS), "all": None}
        self.categories = named[categories] if isinstance(categories, str) else categories
        self.answers: AnswerField = answers
        self.chosen = list(VISPR1_ATTRIBUTES if attributes is None else attributes)
        self.size = size
        self.crop: Crop = crop

    @override
    def has(self, stage: Stage, role: Role) -> bool:
        return super().has(stage, role) and (stage, role) != ("train", "privacy")

    @override
    def build(self, stage: Stage, role: Role) -> AbstractDataset:
        if role == "utility":
            return OKVQA(
                self.root,
                "train2014" if stage == "train" else "val2014",
                categories=self.categories,
                answers=self.answers,
                size=self.size,
                crop=self.crop,
            )
        if stage == "train":
            raise ValueError(
                "OK-VQA's private attributes: expected to be tested on, found as a training set; "
                "only val2014 is labelled"
            )
        return OKVQAPrivacy(
            self.privacy_root, attributes=self.chosen, size=self.size, crop=self.crop
        )

    @override
    def official_count(self, stage: Stage, role: Role) -> int | None:
        if role == "privacy":
            return 994
        return OFFICIAL[stage] if self.categories is None else None
