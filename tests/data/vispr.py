"""A fake VISPR: a CMYK photograph, a grey PNG named .jpg, one in portrait by EXIF."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

SPLITS = {"train2017": 4, "val2017": 2, "test2017": 3}
LABELS = (  # none has a12_semi_nudity: the absent class
    ["a17_color", "a4_gender", "a9_face_complete", "a59_sports"],
    ["a0_safe"],
    ["a4_gender", "a10_face_partial", "a64_rel_personal", "a65_rel_social"],
)


def make(root: Path) -> Path:
    for split, count in SPLITS.items():
        ids = [f"2017_1000{i}{len(split)}" for i in range(count)]
        root.mkdir(parents=True, exist_ok=True)
        lines = "".join(f"annotations/{split}/{image_id}.json\n" for image_id in ids)
        (root / f"{split}.txt").write_text(lines)
        for i, image_id in enumerate(ids):
            _annotate(root, split, image_id, LABELS[i % 3])
            _draw(root / "images" / split / f"{image_id}.jpg", i)
    return root


def _annotate(root: Path, split: str, image_id: str, labels: list[str]) -> None:
    file = root / "annotations" / split / f"{image_id}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    record = {"id": image_id, "image_path": f"images/{split}/{image_id}.jpg", "labels": labels}
    file.write_text(json.dumps(record))


def _draw(file: Path, i: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(i).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    if i == 0:
        image.convert("CMYK").save(file, "JPEG")
    elif i == 1:
        image.convert("L").save(file, "PNG")
    else:
        exif = Image.Exif()
        exif[0x0112] = 6  # turned by 90 degrees
        image.save(file, "JPEG", exif=exif)
