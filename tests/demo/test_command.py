from pathlib import Path

import pytest
import torch

from blackbox_anon.cli import main
from blackbox_anon.demo.command import (
    ATTACK_FRAMES,
    WORLD_OFFSET,
    baselines,
    seed_of_estimator,
)
from blackbox_anon.world import PeopleWorld


def test_help_lists_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["demo", "--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert all(option in shown for option in ("--seed", "--out", "--config"))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--seed", "-1"], 1, "`--seed` must not be negative; found -1"),
        (["--seed", "one"], 2, "invalid int value"),
        (["--sede", "1"], 2, "unrecognized arguments"),
    ],
)
def test_wrong_arguments_are_named(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["demo", *arguments])
    assert stopped.value.code == code
    assert message in capsys.readouterr().err


def test_an_unknown_config_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["demo", "--config", "none.yaml", "--out", str(tmp_path)])
    assert stopped.value.code == 1
    assert "demo.yaml" in capsys.readouterr().err


def test_baselines_start_with_raw_data_and_keep_shape_and_range() -> None:
    methods = baselines()
    assert next(iter(methods)) == "raw"
    assert "ours" not in methods
    clips = torch.rand(1, 2, 3, 64, 64)
    for name, anonymizer in methods.items():
        changed = anonymizer(clips)
        assert changed.shape == clips.shape
        assert (changed >= 0).all()
        assert (changed <= 1).all()
        assert torch.equal(changed, clips) == (name == "raw")


def test_no_demo_shows_a_clip_that_the_mllm_was_trained_on() -> None:
    shown = PeopleWorld("train", length=20, seed=WORLD_OFFSET)
    known = PeopleWorld("train", length=20, seed=0)
    pairs = [(shown.frames(a), known.frames(b)) for a in range(20) for b in range(a, 20)]
    assert not any(torch.equal(one, other) for one, other in pairs)


def test_attack_frames_are_frames_of_a_clip() -> None:
    assert set(ATTACK_FRAMES) <= set(range(PeopleWorld().clip_frames))


def test_the_seed_goes_to_the_estimator_that_draws() -> None:
    plain = {"class_path": "SPSA", "init_args": {"radius": 0.1}}
    wrapped = {"class_path": "FidelityGuided", "init_args": {"estimator": plain}}
    for estimator, key in (
        (plain, "model.init_args.estimator.init_args.seed"),
        (wrapped, "model.init_args.estimator.init_args.estimator.init_args.seed"),
    ):
        config = {"model": {"init_args": {"estimator": estimator}}}
        assert seed_of_estimator(config) == key
