"""Which settings make another run."""

from typing import Any

import pytest

from blackbox_anon.checkpoints import decisive, fingerprint


def config(**changed: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON
    values: dict[str, Any] = {
        "config": ["a.yaml"],
        "seed": 0,
        "root": "data/ucf",
        "workers": 2,
        "epochs": 1,
        "save_dir": "runs",
        "cap": 100,
        "every": 25,
        "start": 0.7,
        **changed,
    }
    resume = {"class_path": "blackbox_anon.checkpoints.ExactResume"}
    tail = {"class_path": "TailAverage", "init_args": {"start": values["start"]}}
    return {
        "config": values["config"],
        "seed_everything": values["seed"],
        "model": {"class_path": "Task", "init_args": {"mllm": {"max_queries": values["cap"]}}},
        "data": {"init_args": {"root": values["root"], "num_workers": values["workers"]}},
        "trainer": {
            "max_epochs": values["epochs"],
            "logger": {"save_dir": values["save_dir"]},
            "callbacks": [{**resume, "init_args": {"every_n_steps": values["every"]}}, tail],
        },
    }


def digest(**changed: Any) -> str:  # noqa: ANN401  # JSON
    return fingerprint(decisive(config(**changed), mllm={"model": "m"}))


@pytest.mark.parametrize("name", ["config", "workers", "save_dir", "cap", "every"])
def test_how_a_run_is_logged_loaded_saved_and_paid_makes_no_other_run(name: str) -> None:
    assert digest(**{name: "other"}) == digest()


@pytest.mark.parametrize("name", ["seed", "root", "epochs", "start"])
def test_what_decides_the_weights_makes_another_run(name: str) -> None:
    assert digest(**{name: "other"}) != digest()


def test_a_black_box_that_says_nothing_of_itself_is_known_by_its_config() -> None:
    assert fingerprint(decisive(config())) != fingerprint(decisive(config(cap=1)))
    other = fingerprint(decisive(config(), mllm={"model": "other"}))
    assert other != digest()
