"""Figures are written, have the stated size, and draw without a warning."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.text import Text
from PIL import Image

from blackbox_anon.report import (
    before_after,
    method_strip,
    training_curves,
    utility_privacy_plane,
)
from blackbox_anon.report.curves import moving_average
from blackbox_anon.report.example import is_right
from blackbox_anon.report.frames import pick_frames, tile_inches
from blackbox_anon.report.placement import PointLabel, place_labels
from blackbox_anon.report.style import new_figure
from tests.report.samples import ATTRIBUTES, make_clip, make_history, make_results, pixelate


def size_of(path: Path) -> tuple[int, int]:
    assert path.stat().st_size > 5_000
    with Image.open(path) as image:
        return image.size


@pytest.mark.parametrize("utility_chance", [None, 0.1])
@pytest.mark.parametrize("ours", ["ours", "not evaluated"])
def test_plane(tmp_path: Path, utility_chance: float | None, ours: str) -> None:
    path = tmp_path / "plane.png"
    utility_privacy_plane(make_results(), path, ours=ours, utility_chance=utility_chance)
    assert size_of(path) == (1440, 1000)


def test_labels_of_crowded_points_do_not_overlap() -> None:
    figure = new_figure(6, 4)
    axes = figure.add_subplot()
    labels = [PointLabel(text=f"method {i}", x=0.5, y=0.5, color="k") for i in range(8)]
    place_labels(axes, labels, [])
    figure.canvas.draw()
    # The method of Text, since that of an annotation adds its leader line.
    boxes = [Text.get_window_extent(note) for note in axes.texts]
    assert len(boxes) == 8
    assert not any(boxes[i].overlaps(boxes[j]) for i in range(8) for j in range(i))


def test_curves(tmp_path: Path) -> None:
    training_curves(make_history(), tmp_path / "all.png")
    assert size_of(tmp_path / "all.png")[0] == 1440
    history = make_history(1)
    training_curves({"queries": history["queries"], "utility_loss": [1.0]}, tmp_path / "one.png")
    assert size_of(tmp_path / "one.png")[1] < size_of(tmp_path / "all.png")[1]


def test_curves_of_queries_alone(tmp_path: Path) -> None:
    training_curves({"queries": [1.0, 2.0]}, tmp_path / "bare.png")


def test_moving_average_shrinks_at_the_ends_and_skips_nan() -> None:
    values = np.array([1.0, 2.0, np.nan, 4.0, 5.0])
    np.testing.assert_allclose(moving_average(values, 3), [1.5, 1.5, 3.0, 4.5, 4.5])
    assert np.isnan(moving_average(np.array([np.nan, 1.0]), 1)[0])


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ({"utility_loss": [1.0]}, "expected a non-empty 'queries'"),
        ({"queries": [1, 2], "active": [0]}, "one length, found {'queries': 2, 'active': 1}"),
        ({"queries": [2, 1]}, "running total in 'queries'"),
    ],
)
def test_curves_refuse(tmp_path: Path, history: dict[str, list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        training_curves(history, tmp_path / "x.png")


def make_examples(examples: int = 2) -> dict[str, Any]:
    clip = make_clip()
    return {
        "raw": torch.stack([clip] * examples),
        "anonymized": torch.stack([pixelate(clip, 8)] * examples),
        "answers_raw": ["Walk "] * examples,
        "answers_anonymized": ["a very long answer that goes on and on for three lines"] * examples,
        "truth": ["walk"] * examples,
        "scores_raw": torch.rand(examples, len(ATTRIBUTES)),
        "scores_anonymized": torch.ones(examples, len(ATTRIBUTES)),
        "attribute_names": ATTRIBUTES,
        "present": torch.rand(examples, len(ATTRIBUTES)) > 0.5,
    }


def test_before_after(tmp_path: Path) -> None:
    before_after(**make_examples(1), path=tmp_path / "one.png")
    before_after(**make_examples(3), path=tmp_path / "three.png")
    one, three = size_of(tmp_path / "one.png"), size_of(tmp_path / "three.png")
    assert one[0] == three[0]
    assert three[1] > 2 * one[1]


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("raw", torch.zeros(2, 8, 3, 64, 64), r"raw: expected non-empty uint8 \(n, T, 3, H, W\)"),
        ("raw", torch.zeros(0, 8, 3, 64, 64, dtype=torch.uint8), "raw: expected non-empty"),
        ("truth", ["walk"], "truth: expected 2 examples, found 1"),
        ("present", torch.ones(2, 1), r"present: expected shape \(2, 6\), found \(2, 1\)"),
    ],
)
def test_before_after_refuses(tmp_path: Path, argument: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        before_after(**{**make_examples(), argument: value}, path=tmp_path / "x.png")


def test_answers_are_compared_without_case_and_space() -> None:
    assert is_right(" Walk\n", "walk")
    assert not is_right("walking", "walk")


def test_strip(tmp_path: Path) -> None:
    clip = make_clip()
    rows = {"raw": clip, "a method with a long name": pixelate(clip, 4), "ours": pixelate(clip, 8)}
    method_strip(rows, tmp_path / "strip.png")
    width, height = size_of(tmp_path / "strip.png")
    assert width > 6 * 192
    assert height > 3 * 192


def test_strip_refuses(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one shape"):
        method_strip({"a": make_clip(4), "b": make_clip(5)}, tmp_path / "x.png")
    with pytest.raises(
        ValueError, match=r"frames_by_method\['a'\]: expected non-empty uint8 \(T, 3, H, W\)"
    ):
        method_strip({"a": torch.zeros(3, 8, 8)}, tmp_path / "x.png")


def test_tiles_are_whole_multiples_of_small_frames_and_shrink_large_ones(tmp_path: Path) -> None:
    assert tile_inches(64, 64) == (0.96, 0.96)
    assert tile_inches(112, 112) == (1.12, 1.12)
    assert tile_inches(720, 1280)[0] == pytest.approx(0.96)
    large = torch.zeros(2, 3, 720, 1280, dtype=torch.uint8)
    method_strip({"raw": large}, tmp_path / "large.png")


def test_frames_are_spread_from_first_to_last() -> None:
    clip = torch.arange(9)
    assert pick_frames(clip, 3).tolist() == [0, 4, 8]
    assert len(pick_frames(clip, 20)) == 9
