"""Whole runs, from the command line, with a tiny model of each family as black box."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from blackbox_anon.cli import main

FAKE = str(Path(__file__).parents[2] / "configs" / "fake.yaml")


@pytest.mark.parametrize("family", ["video_llava", "llava", "qwen2_5_vl"])
@pytest.mark.parametrize("grey_box", [False, True], ids=["black", "grey"])
def test_fit_and_test(
    family: str,
    grey_box: bool,
    tiny_folders: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The task's classes reach the grey box, and its results say that it was one."""
    monkeypatch.setattr(sys, "argv", ["blackbox-anon"])
    monkeypatch.chdir(tmp_path)
    arguments: dict[str, Any] = {"path": str(tiny_folders[family]), "max_new_tokens": 1}
    if grey_box:
        arguments["grey_box"] = True
    mllm = {"class_path": "HuggingFaceMLLM", "init_args": arguments}
    scorer = "LikelihoodScorer" if grey_box else "LogprobScorer"
    task = {"mllm": mllm, "scorer": scorer, "privacy_judge": {"class_path": "CoTrainedReviewer"}}
    overlay = {
        "model": {"init_args": task},
        "trainer": {"limit_train_batches": 1, "limit_val_batches": 1, "limit_test_batches": 1},
    }
    Path("overlay.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    for command in ("fit", "test"):
        main([command, "-c", FAKE, "-c", "overlay.yaml"])

    [file] = Path("runs").rglob("results.json")
    utility = json.loads(file.read_text(encoding="utf-8"))["utility"]
    assert utility["scorer"] == scorer
    assert utility.get("grey_box", False) is grey_box
