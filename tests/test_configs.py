"""Every shipped config, found by glob, runs on fake data."""

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from blackbox_anon.cli import main
from blackbox_anon.configs_path import configs_folder
from tests.data import ucf, vispr
from tests.mllms import tiny_video_llava

CONFIGS = sorted(configs_folder().glob("*.yaml"))
TINY = Path(__file__).parent / "configs" / "tiny.yaml"
ENCODER = "tu-tf_mobilenetv3_small_minimal_100"

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*unreadable:UserWarning"  # the fake UCF101 holds a broken clip on purpose
)


@pytest.fixture(scope="module")
def overlays(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each data class needs to run on nothing but generated files."""
    roots = {
        "ucf_root": str(ucf.make(tmp_path_factory.mktemp("ucf"))),
        "vispr_root": str(vispr.make(tmp_path_factory.mktemp("vispr"))),
    }
    return {
        "PeopleWorldDataModule": {
            "data": {"train_clips": 2, "val_clips": 2, "test_clips": 2},
            "mllm": {},
        },
        "UCF101DataModule": {
            "data": {**roots, "size": 32, "num_workers": 0},
            "mllm": {
                "path": str(tiny_video_llava.make(tmp_path_factory.mktemp("weights"))),
                "dtype": "float32",
                "max_new_tokens": 1,
            },
        },
    }


def overlay(config: dict[str, Any], needs: dict[str, Any]) -> dict[str, Any]:
    """Fake roots and weights, small networks, small batches; the rest is the config's own."""
    given = config["model"]["init_args"]
    anonymizer = {"encoder": ENCODER, "encoder_weights": None, "depth": 2, "width": 4}
    model: dict[str, Any] = {"anonymizer": {"init_args": {**anonymizer, "weights": None}}}
    if given["anonymizer"]["init_args"].get("weights") == "peopleworld":
        model = {}  # shipped with the package: they must fit the config as it is
    elif "mllm" in given:
        model["mllm"] = {"init_args": needs["mllm"]}
        reviewer = {"backbone": "test_resnet", "pretrained": False, "weights": None}
        model["reviewer"] = {"init_args": reviewer}
    if "text_encoder" in str(given.get("scorer")):
        encoder = {"class_path": "CharacterNGramEncoder"}
        model["scorer"] = {"class_path": "RetrievalScorer", "init_args": {"text_encoder": encoder}}
    data = {**needs["data"], "batch_size": 2, "privacy_batch_size": 2}
    return {"model": {"init_args": model}, "data": {"init_args": data}}


def test_every_data_class_has_a_config() -> None:
    used = {yaml.safe_load(path.read_text())["data"]["class_path"] for path in CONFIGS}
    assert used == {"PeopleWorldDataModule", "UCF101DataModule"}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_runs(
    path: Path,
    overlays: dict[str, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["blackbox-anon"])
    monkeypatch.chdir(tmp_path)
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    laid = overlay(config, overlays[config["data"]["class_path"]])
    (tmp_path / "overlay.yaml").write_text(yaml.safe_dump(laid), encoding="utf-8")
    for command in ("fit", "validate", "test"):
        main([command, "-c", str(path), "-c", str(TINY), "-c", "overlay.yaml"])
