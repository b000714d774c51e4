"""A picture of a few samples of every part with their labels, for the eye to compare."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from blackbox_anon.data_check.examine import Findings
from blackbox_anon.data_check.report import printable
from blackbox_anon.datasets import ATTRIBUTE_NAMES, AbstractDataset, resize
from blackbox_anon.media import write_image

TILE, CAPTION, GAP, TITLE = 160, 66, 6, 22  # pixels
COLUMNS = 8
LETTERS = 24  # per line of a caption, at this tile width
LINES = 5
PAPER, INK = (255, 255, 255), (20, 20, 20)


def draw_contact_sheet(findings: Sequence[Findings], path: Path) -> None:
    """Draw a row of samples for every part, evenly spaced over it, and write a PNG.

    A clip is shown by its middle frame. What cannot be read is left out.

    Args:
        findings: Of every part; files that failed there are not tried again.
        path: The file.
    """
    rows = [found for found in findings if found.absent is None and found.samples]
    height = len(rows) * (TITLE + TILE + CAPTION + GAP) + GAP
    sheet = Image.new("RGB", (COLUMNS * (TILE + GAP) + GAP, height), PAPER)
    for i, found in enumerate(rows):
        _draw_row(sheet, GAP + i * (TITLE + TILE + CAPTION + GAP), found)
    write_image(path, torch.from_numpy(np.array(sheet)).permute(2, 0, 1))


def _draw_row(sheet: Image.Image, top: int, found: Findings) -> None:
    draw, font = ImageDraw.Draw(sheet), _font(11)
    title = f"{found.part.stage} {found.part.role}: {found.part.title}"
    draw.text((GAP, top), title, fill=INK, font=_font(15))
    dataset = found.part.official()
    for column, index in enumerate(_readable(dataset, found)):
        left = GAP + column * (TILE + GAP)
        sheet.paste(_tile(dataset.frames(index)), (left, top + TITLE))
        caption = "\n".join(_caption(dataset, index))
        draw.text((left, top + TITLE + TILE + 2), caption, fill=INK, font=font)


def _readable(dataset: AbstractDataset, found: Findings) -> list[int]:
    failed = {*found.unreadable, *map(str, found.missing)}
    spaced = torch.linspace(0, len(dataset) - 1, 4 * COLUMNS).round().int().tolist()
    wanted = [i for i in dict.fromkeys(spaced) if str(dataset.file(i)) not in failed]
    kept = torch.linspace(0, len(wanted) - 1, min(COLUMNS, len(wanted))).round().int().tolist()
    return [wanted[i] for i in kept]


def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu, which matplotlib brings along: Pillow's own font lacks accents."""
    return ImageFont.truetype(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)


def _tile(frames: Tensor) -> Image.Image:
    image = frames[len(frames) // 2] if frames.ndim == 4 else frames
    pixels = resize(image, TILE, crop="center")
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())


def _caption(dataset: AbstractDataset, index: int) -> list[str]:
    targets = dataset.targets(index)
    name, origin = (names[index].split("/")[-1] for names in (dataset.names, dataset.origins))
    lines = [origin if name == origin else f"{origin[: LETTERS - len(name) - 1]} {name}"]
    if "label" in targets and dataset.classes:
        lines.append(f"= {dataset.classes[targets['label']]}")
    if "question" in targets:
        lines += _folded(targets["question"])
    if "attributes" in targets:
        present = zip(dataset.attributes, targets["attributes"].tolist(), strict=True)
        names = ", ".join(ATTRIBUTE_NAMES.get(a, a) for a, value in present if value)
        lines += _folded(names or "no attribute")
    return [printable(line[:LETTERS]) for line in lines[:LINES]]


def _folded(text: str) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        if len(lines[-1]) + len(word) >= LETTERS:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
