"""The official question and annotation files of OK-VQA."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from blackbox_anon.errors import DatasetNotFoundError

OKVQASplit = Literal["train2014", "val2014"]
AnswerField = Literal["answer", "raw_answer"]

CATEGORIES = {
    "one": "Vehicles and Transportation",
    "two": "Brands, Companies and Products",
    "three": "Objects, Material and Clothing",
    "four": "Sports and Recreation",
    "five": "Cooking and Food",
    "six": "Geography, History, Language and Culture",
    "seven": "People and Everyday life",
    "eight": "Plants and Animals",
    "nine": "Science and Technology",
    "ten": "Weather and Climate",
    "other": "Other",
}
"""Codes of ``question_type``, for files without the key ``question_types``."""

EXPECTED = """expected
  <root>/OpenEnded_mscoco_{train,val}2014_questions.json
  <root>/mscoco_{train,val}2014_annotations.json
  <root>/{train,val}2014/COCO_{train,val}2014_<12 digits>.jpg
Get both JSON files (v1.1) from the OK-VQA page of the Allen Institute for AI, and the images, the
2014 train and val archives, from the COCO page; unpack all there."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question about an image.

    Attributes:
        question_id: Official id.
        image_id: COCO's id of the image.
        text: The question.
        answers: What the annotators said, in the file's order, repetitions included.
        category: Name of its ``question_type``.
    """

    question_id: int
    image_id: int
    text: str
    answers: tuple[str, ...]
    category: str


def read_questions(root: str | Path, split: OKVQASplit, field: AnswerField) -> list[Question]:
    """Read both files of a split and join them by question id.

    Args:
        root: The folder with the files.
        split: ``train2014`` or ``val2014``.
        field: ``answer``, the stemmed one, or ``raw_answer``.

    Returns:
        The questions in the order of the question file.

    Raises:
        DatasetNotFoundError: If a file is missing or damaged, or a question lacks its answers.
    """
    asked = read_json(Path(root) / f"OpenEnded_mscoco_{split}_questions.json", "questions")
    given = read_json(Path(root) / f"mscoco_{split}_annotations.json", "annotations")
    names = CATEGORIES | dict(given.get("question_types", {}))
    try:
        answers = {row["question_id"]: row for row in given["annotations"]}
        return [
            _joined(row, answers[row["question_id"]], names, field) for row in asked["questions"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetNotFoundError(
            f"OK-VQA {split}: expected a question and its answers in every record, found a record "
            f"without ({type(error).__name__}: {error});\n{EXPECTED}"
        ) from error


def read_json(file: Path, key: str) -> dict[str, Any]:
    """Read a JSON object that must have a list under ``key``.

    Raises:
        DatasetNotFoundError: If the file is missing, no JSON, or lacks the list.
    """
    if not file.is_file():
        raise DatasetNotFoundError(f"OK-VQA not found: no {file};\n{EXPECTED}")
    try:
        content = json.loads(file.read_text("utf-8-sig"))
    except ValueError as error:
        raise DatasetNotFoundError(f"{file}: expected JSON, found {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get(key), list):
        raise DatasetNotFoundError(f"{file}: expected an object with a list {key!r}, found none")
    return content


def _joined(
    asked: dict[str, Any], given: dict[str, Any], names: dict[str, str], field: AnswerField
) -> Question:
    answers = tuple(str(answer[field]) for answer in given["answers"])
    if len(answers) < 2:
        raise ValueError(f"question {asked['question_id']} has {len(answers)} answers")
    return Question(
        question_id=int(asked["question_id"]),
        image_id=int(asked["image_id"]),
        text=str(asked["question"]).strip(),
        answers=answers,
        category=names[given["question_type"]],
    )
