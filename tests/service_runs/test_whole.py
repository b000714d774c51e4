"""Every step of the demo, each command a process of its own: an hour on a busy machine."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.service_runs import Bench, bare, batched, equal, faults
from blackbox_anon.server import FAULT_KINDS

pytestmark = pytest.mark.slow

STEPS, CALLS, VALIDATED = 375, 12000, 64  # demo.yaml: 8 clips, 2 directions, 2 halves


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run without faults is made once."""
    return tmp_path_factory.mktemp("service_runs")


def assert_accounted(account: dict[str, Any]) -> None:
    """Every attempt is in the ledger as the server meant it; sound replies alone were scored."""
    assert account["differences"] == []
    assert account["received"] == account["attempts"]
    assert account["scored_are_responses"], account


def test_whole_runs_end_with_the_same_bits(folder: Path) -> None:
    found = equal(Bench(folder))
    assert found["same_weights"], found
    assert found["steps"] == STEPS
    assert found["account"]["task"]["scored"] == CALLS + VALIDATED
    assert_accounted(found["account"])


def test_with_faults_the_whole_run_is_as_useful(folder: Path) -> None:
    found = faults(Bench(folder))
    account = found["account"]
    assert account["faults"].keys() == set(FAULT_KINDS)
    assert account["task"]["steps"] == STEPS
    assert_accounted(account)
    assert found["within_noise"], found


def test_twenty_steps_in_batches_have_the_same_losses(tmp_path: Path) -> None:
    found = batched(Bench(tmp_path, steps=20))
    assert max(int(size) for size in found["batches"]) > 1
    assert max(found["largest_difference"].values()) < 1e-5, found


def test_failures_without_retries_reach_the_estimator(tmp_path: Path) -> None:
    account = bare(Bench(tmp_path, steps=20))["account"]
    assert account["task"]["failed"] > 0
    assert account["task"]["steps"] + account["task"]["skipped"] == 20
    assert_accounted(account)
