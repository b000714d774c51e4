import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from blackbox_anon.datasets import UnreadableFileError, read_image
from tests.data.real import ROOT, needs_real_data


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "photo.tif"
    Image.new("RGB", (30, 20), (255, 255, 255)).convert(mode).save(path)
    image = read_image(path, None)
    assert image.shape == (3, 20, 30)
    assert image.min() >= 250


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:, :15] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: left becomes top
    Image.fromarray(pixels).save(tmp_path / "photo.jpg", exif=exif, quality=95)
    image = read_image(tmp_path / "photo.jpg", None)
    assert image.shape == (3, 30, 20)
    assert image[:, :10].float().mean() > 245
    assert image[:, 20:].float().mean() < 10


def test_a_large_photograph_is_decoded_at_a_fraction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gradient = np.linspace(0, 255, 640, dtype=np.uint8)[None, :, None].repeat(480, 0).repeat(3, 2)
    Image.fromarray(gradient).save(tmp_path / "photo.jpg", quality=95)
    full = read_image(tmp_path / "photo.jpg", 64).float()
    monkeypatch.setattr("blackbox_anon.datasets.image.DRAFT_ABOVE_PIXELS", 1000)
    assert (read_image(tmp_path / "photo.jpg", 64).float() - full).abs().max() <= 3


def test_a_decompression_bomb_is_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (60, 60)).save(tmp_path / "bomb.png")
    for limit in (3000, 1000):  # Pillow warns above the limit and raises above twice the limit
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(UnreadableFileError, match=r"bomb\.png: Decompression"):
            read_image(tmp_path / "bomb.png", 32)


def test_a_photograph_beyond_the_limit_is_decoded_at_a_fraction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (640, 480), (200, 10, 10)).save(tmp_path / "photo.jpg")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200_000)
    monkeypatch.setattr("blackbox_anon.datasets.image.DRAFT_ABOVE_PIXELS", 100_000)
    assert read_image(tmp_path / "photo.jpg", 64).shape == (3, 64, 64)
    with pytest.raises(UnreadableFileError, match="640 x 480 pixels, more than 200000"):
        read_image(tmp_path / "photo.jpg", None)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    Image.effect_noise((80, 80), 50).save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    for name, content in {"cut.jpg": whole[: len(whole) // 2], "text.jpg": b"no"}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnreadableFileError, match=name):
            read_image(tmp_path / name, 32)
    with pytest.raises(UnreadableFileError, match="absent"):
        read_image(tmp_path / "absent.jpg", 32)


def test_the_error_survives_a_worker() -> None:
    error = pickle.loads(pickle.dumps(UnreadableFileError("a.jpg", "two\nlines")))
    assert (error.path, str(error)) == ("a.jpg", "a.jpg: two lines")


@needs_real_data
def test_real_photographs() -> None:
    for path in (ROOT / "vispr" / "images").glob("*.jpg"):
        image = read_image(path, 224)
        assert image.shape == (3, 224, 224)
        assert image.float().std() > 20
        with Image.open(path) as reference:
            expected = torch.from_numpy(np.array(reference.convert("RGB"))).permute(2, 0, 1)
        assert torch.equal(read_image(path, None), expected)
