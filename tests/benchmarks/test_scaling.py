import sys
from pathlib import Path

import pytest
import torch

from benchmarks.random_models import GEOMETRIES, build, measure_geometry, shrunk
from benchmarks.scaling import measure


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Lightning's, about short runs
def test_two_processes_share_the_calls_and_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["scaling"])
    found = measure(1, 2, str(tmp_path), latency_s=0.1)
    assert found["equal_parameters"]
    assert found["no_extra_call"]
    assert [found["ranks"][ranks]["calls"] for ranks in (1, 2)] == [3 * 32] * 2
    assert found["ratio"] > 0


@pytest.mark.filterwarnings("ignore")  # Lightning's, about short runs
@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_step_with_a_model_of_random_weights(name: str, tmp_path: Path) -> None:
    found = measure_geometry(name, 1, 1, str(tmp_path), device="cpu", tiny=True)
    assert 0 < found["black_box_share"] < 1
    assert sum(found["ms_per_step"].values()) == pytest.approx(found["total_ms_per_step"])


@pytest.mark.parametrize("name", GEOMETRIES)
def test_sizes_are_those_of_the_published_models(name: str) -> None:
    """On the device without memory: about 7.06 and 7.37 billion parameters."""
    with torch.device("meta"):
        model, _ = build(GEOMETRIES[name], "meta")
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == pytest.approx(
        {"LLaVA-1.5-7B": 7.06e9, "Video-LLaVA-7B": 7.37e9}[name], rel=0.01
    )
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}


def test_tiny_models_are_of_the_same_kind() -> None:
    models = [build(shrunk(geometry), "cpu")[0] for geometry in GEOMETRIES.values()]
    assert [model.config.model_type for model in models] == ["llava", "video_llava"]
