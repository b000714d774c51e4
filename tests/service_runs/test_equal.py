"""Training over a service ends where training with the local model ends."""

from pathlib import Path

import pytest

from benchmarks.rehearsal.configs import Config, local_config, service_config, shorten
from benchmarks.service_runs import compare
from tests.service_runs.training import serving, train

STEPS, CLIPS = 3, 4


def small(config: Config) -> Config:
    return shorten(config, STEPS, clips_per_step=CLIPS)


def test_the_two_configs_differ_in_the_black_box_alone() -> None:
    local, service = local_config(), service_config("http://127.0.0.1:8000/v1")
    for config in (local, service):
        del config["model"]["init_args"]["mllm"]
        del config["trainer"]["logger"]
    assert local == service


def test_one_clip_at_a_time_the_weights_are_the_same_to_the_last_bit(tmp_path: Path) -> None:
    local, _ = train(small(local_config(batch_size=1)), tmp_path / "local")
    with serving() as running:
        service, _ = train(small(service_config(running.base_url)), tmp_path / "service")
    found = compare(local, service)
    assert found["steps"] == STEPS
    assert found["same_weights"], found
    for ours, theirs in zip(local.history, service.history, strict=True):
        assert ours == {name: theirs[name] for name in ours}
    assert running.stats()["batches"].keys() == {"1"}


def test_in_batches_too_whatever_arrives_together(tmp_path: Path) -> None:
    local, _ = train(small(local_config(batch_size=8)), tmp_path / "local")
    with serving(batch_size=8, batch_window_s=0.02) as running:
        service, _ = train(small(service_config(running.base_url)), tmp_path / "service")
    assert max(int(size) for size in running.stats()["batches"]) > 1
    difference = compare(local, service)["largest_difference"]
    assert difference == pytest.approx({"utility_loss": 0.0, "privacy_loss": 0.0}, abs=1e-5)
