"""A fake OK-VQA: four categories, an image without file, a record of each kind for privacy."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

TYPES = {"four": "Sports and Recreation", "seven": "People and Everyday life", "one": "Vehicles"}
QUESTIONS = {  # image, type, question, the five annotators' answers (raw, stemmed)
    "train2014": (
        (51606, "four", "What is the hairstyle called?", ["pony tail"] * 3 + ["braid", "ponytail"]),
        (51606, "seven", "What is she doing?", ["surfing"] * 5),
        (7, "one", "Which maker?", ["volvo"] * 5),
        (8, "seven", "Who is this? ", ["a king"] * 2 + ["the queen"] * 3),
    ),
    "val2014": (
        (836, "four", "What sport is this?", ["tennis"] * 4 + ["badminton"]),
        (1599, "seven", "What holiday is it?", ["christmas"] * 5),
        (67422, "seven", "What is worn?", ["hat", "cap", "beanie", "hood", "none"]),
        (9, "five", "What is baked?", ["bread"] * 5),
    ),
}
PRIVACY: tuple[dict[str, Any], ...] = (
    {"image": "COCO_val2014_000000000836.jpg", "id": 5, "choice": "a17_color"},
    {
        "image": "COCO_val2014_000000001599.jpg",
        "id": 6,
        "choice": {"choices": ["a17_color", "a10_face_partial", "a65_rel_social"]},
    },
    {"image": "COCO_val2014_000000067422.jpg", "id": 7},
    {"image": "COCO_val2014_000000067422.jpg", "id": 7, "choice": {"choices": ["a4_gender"]}},
)
MISSING = "COCO_train2014_000000000008.jpg"  # asked about, not on disk


def make(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for split, rows in QUESTIONS.items():
        asked, given = [], []
        for number, (image, kind, question, answers) in enumerate(rows):
            key = {"image_id": image, "question_id": 10 * image + number}
            asked.append({**key, "question": question})
            given.append({**key, "question_type": kind, "answers": _listed(answers)})
            _draw(root / split / f"COCO_{split}_{image:012d}.jpg", image)
        given.reverse()  # joined by id, not by place
        types = {**TYPES, "five": "Cooking and Food", "one": "Vehicles and Transportation"}
        _write(root / f"OpenEnded_mscoco_{split}_questions.json", {"questions": asked})
        content = {"annotations": given, "question_types": types}
        _write(root / f"mscoco_{split}_annotations.json", content)
    _write(root / "annotations.json", list(PRIVACY))
    return root


def _listed(answers: list[str]) -> list[dict[str, object]]:
    """Each of five annotators twice; the stemmed form lacks the ending."""
    twice = [answer for answer in answers for _ in range(2)]
    return [
        {
            "answer_id": place,
            "raw_answer": answer,
            "answer_confidence": "yes",
            "answer": answer.removesuffix("ing"),
        }
        for place, answer in enumerate(twice, start=1)
    ]


def _draw(file: Path, seed: int) -> None:
    if file.name == MISSING:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    image.convert("L" if seed == 7 else "RGB").save(file, "JPEG")


def _write(file: Path, content: object) -> None:
    file.write_text(json.dumps(content), encoding="utf-8")
