"""A fifth of the calls fails, and no failure is ever scored as an answer."""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.rehearsal.accounts import Outcomes, outcomes, read_counts, reconcile
from benchmarks.rehearsal.configs import arguments_of, service_config, shorten
from blackbox_anon.server import FAULT_KINDS
from tests.service_runs.training import serving, train

STEPS, CLIPS = 4, 4
KINDS = [kind for kind in FAULT_KINDS if kind != "drip"]  # that one takes time
FAULTS = dict.fromkeys(KINDS, 0.2 / len(KINDS))


def by_key(sent: Outcomes, identity: Mapping[str, object], bodies: Path) -> Outcomes:
    """What became of attempts, by the ledger's key instead of the body's digest."""
    head = json.dumps(dict(identity), sort_keys=True, separators=(",", ":")).encode() + b"\0"
    return {
        hashlib.sha256(head + (bodies / body).read_bytes()).hexdigest(): attempts
        for body, attempts in sent.items()
    }


@pytest.mark.parametrize("attempts", [8, pytest.param(1, marks=pytest.mark.slow)])
def test_every_attempt_is_in_the_ledger_and_only_sound_replies_are_scored(
    attempts: int, tmp_path: Path
) -> None:
    """With the config's retries, and without any, so that failures reach the estimator."""
    journal, bytes_ = tmp_path / "journal.jsonl", tmp_path / "bytes"
    retrying: dict[str, Any] = {"max_attempts": attempts, "base_delay_s": 0.0}
    with serving(
        journal=journal, faults=FAULTS, retry_after_s=0.01, record_bytes=bytes_
    ) as running:
        config = service_config(running.base_url, retrying=retrying)
        ledger = tmp_path / "run" / arguments_of(config)["BudgetedMLLM"]["path"]
        fitted, task = train(shorten(config, STEPS, clips_per_step=CLIPS), tmp_path / "run")
    both = reconcile(journal, ledger)
    assert both.differences() == []
    assert both.book.found == by_key(both.journal.sent, task.mllm.identity, bytes_ / "bodies")
    assert running.stats()["received"] == outcomes(both.book.found).total()
    counted = read_counts(fitted.logs, validated=CLIPS)
    found, hits = outcomes(both.book.found), int(task.mllm.figures()["cache_hits"])
    assert counted.scored == found["response"] + hits == running.stats()["answered"] + hits
    assert sum(both.journal.faults.values()) == found.total() - found["response"] > 0
    if attempts == 1:
        assert counted.failed == found.total() - found["response"]
    else:
        assert counted.failed == found["refusal"], "all else was asked again"
    assert all(math.isfinite(row["utility_loss"]) for row in fitted.history)
