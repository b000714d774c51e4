"""Caps hold over processes, and after a kill."""

import random
from itertools import count
from pathlib import Path

import pytest

from blackbox_anon.errors import BudgetExhaustedError
from blackbox_anon.ledger import nano_from_usd, read_runs, read_summary
from blackbox_anon.mllms import (
    Answer,
    Failure,
    Request,
    Response,
    Usage,
)
from tests.mllms.budgeting import PRICE, WORST_NANO, budgeted
from tests.mllms.processes import FORKS, finish, kill, start, wait_until
from tests.mllms.services import ScriptedService, clips


def ask_until_exhausted(
    folder: Path, seed: int, cap_usd: float, calls: int, hang_at: int | None = None
) -> None:
    """What another process does; the service logs what it bills before it answers.

    After so many calls (``hang_at``) it stops in the next one, for the kill to come.
    """
    draw, ended = random.Random(seed), count()

    def script(request: Request, _: int) -> Answer:  # noqa: ARG001
        usage = Usage(input_tokens=draw.randint(1, 100), output_tokens=draw.randint(1, 50))
        with (folder / "billed.txt").open("a") as log:
            log.write(f"{usage.input_tokens} {usage.output_tokens}\n")
        if next(ended) == hang_at:
            wait_until(lambda: False)
        if draw.random() < 0.2:
            return Failure(kind="timeout", message="30 s passed", outcome_known=False)
        return Response(text="yes", usage=usage)

    service = ScriptedService(script, delay_s=lambda _: 0.003 * draw.random())
    mllm = budgeted(service, folder, max_cost_usd=cap_usd, run=f"run {seed}")
    try:
        for _ in range(calls // 10):
            mllm.query(clips(10), ["?"] * 10)
    except BudgetExhaustedError:
        return


def billed(folder: Path) -> list[int]:
    assert PRICE is not None
    log = folder / "billed.txt"
    rows = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    return [PRICE.nano(Usage(input_tokens=int(row[0]), output_tokens=int(row[1]))) for row in rows]


@FORKS
def test_two_processes_share_one_cap(tmp_path: Path) -> None:
    cap_usd = 20.0
    processes = [start(ask_until_exhausted, tmp_path, seed, cap_usd, 10_000) for seed in (1, 2)]
    assert [finish(process) for process in processes] == [0, 0]
    summary = read_summary(tmp_path / "ledger.sqlite")
    assert sum(billed(tmp_path)) <= summary.spent.nano <= nano_from_usd(cap_usd)
    assert summary.spent.nano > nano_from_usd(cap_usd) - WORST_NANO
    assert summary.attempts() == len(billed(tmp_path))
    runs = read_runs(tmp_path / "ledger.sqlite")
    assert set(runs) == {"run 1", "run 2"}
    assert sum(nano for _, nano in runs.values()) == summary.spent.nano


@FORKS
@pytest.mark.parametrize("killed_after", [1, 30, 55])
def test_a_killed_run_counts_what_it_may_have_spent(killed_after: int, tmp_path: Path) -> None:
    cap_usd = 20.0
    for seed in (1, 2):
        before = len(billed(tmp_path))
        process = start(ask_until_exhausted, tmp_path, seed, cap_usd, 10_000, killed_after)
        wait_until(
            lambda before=before: len(billed(tmp_path)) > before + killed_after  # type: ignore[misc]  # a default
        )
        kill(process)
        summary = read_summary(tmp_path / "ledger.sqlite")
        assert sum(billed(tmp_path)) <= summary.spent.nano + summary.reserved.nano
        assert summary.spent.nano + summary.reserved.nano <= nano_from_usd(cap_usd)
    assert finish(start(ask_until_exhausted, tmp_path, 3, cap_usd, 10_000)) == 0
    summary = read_summary(tmp_path / "ledger.sqlite")
    assert sum(billed(tmp_path)) <= summary.spent.nano <= nano_from_usd(cap_usd)
    assert summary.attempts("in_flight") == 0
    assert summary.attempts() >= len(billed(tmp_path))
