"""Caps hold under any schedule of concurrent calls."""

import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from blackbox_anon.errors import BudgetExhaustedError, MLLMError
from blackbox_anon.mllms import (
    Answer,
    BudgetedMLLM,
    Failure,
    FailureKind,
    Request,
    Response,
    Usage,
)
from blackbox_anon.mllms.asynchronous import event_loop
from tests.mllms.budgeting import PRICE, WORST_NANO, budgeted
from tests.mllms.processes import PATIENCE_S, wait_until
from tests.mllms.services import WORST, ScriptedService, clips, says

FREE: tuple[FailureKind, ...] = ("timeout", "rate_limit", "server_error")


@dataclass
class Truth:
    """What a service really billed, and what it may still bill for calls under way."""

    nano: int = 0
    tokens: int = 0
    calls: int = 0
    most_nano: int = 0
    most_tokens: int = 0
    under_way: dict[int, Usage] = field(default_factory=dict)

    def bill(self, usage: Usage) -> None:
        assert PRICE is not None
        self.nano += PRICE.nano(usage)
        self.tokens += usage.input_tokens + usage.output_tokens

    def look(self) -> None:
        """Had the service billed all calls under way at their worst now: more than the cap?"""
        worst = len(self.under_way)
        self.most_nano = max(self.most_nano, self.nano + worst * WORST_NANO)
        self.most_tokens = max(self.most_tokens, self.tokens + worst * 150)


class MoodyService(ScriptedService):
    """Fails in all ways, at random; knows what it billed, told or not."""

    def __init__(self, seed: int) -> None:
        super().__init__(says(""))
        self.random = random.Random(seed)
        self.truth = Truth()

    async def answer(self, request: Request) -> Answer:  # noqa: ARG002
        draw, truth = self.random, self.truth
        number, truth.calls = truth.calls, truth.calls + 1
        truth.under_way[number] = WORST
        truth.look()
        usage = Usage(input_tokens=draw.randint(0, 100), output_tokens=draw.randint(0, 50))
        how = draw.choice(["told", "told", "told", "silent", "unknown", "free", "refused", "error"])
        billed = how != "free" and (how != "error" or draw.random() < 0.5)
        try:
            await asyncio.sleep(draw.choice([0, 0, 0.001, 0.004]))
        finally:  # a cancelled call is billed all the same
            del truth.under_way[number]
            if billed:
                truth.bill(usage)
        if how == "told":
            return Response(text="yes", usage=usage)
        if how == "silent":
            return Response(text="yes")
        if how == "unknown":
            return Failure(kind="timeout", message="30 s passed", outcome_known=False)
        if how == "free":
            return Failure(kind=draw.choice(FREE), message="not now", usage=None)
        if how == "refused":
            return Failure(kind="refusal", message="no", usage=draw.choice([usage, None]))
        raise MLLMError("broken", billed=billed)


async def ask_all(mllm: BudgetedMLLM, count: int, draw: random.Random) -> list[object]:
    """Ask at once, or in waves; lose patience with some."""
    frame = clips(1)[0]
    tasks = []
    for number in range(count):
        request = Request(frames=frame, prompt=str(number))
        tasks.append(asyncio.ensure_future(mllm.answer(request)))
        if draw.random() < 0.1:
            asyncio.get_running_loop().call_later(draw.random() * 0.02, tasks[-1].cancel)
        if draw.random() < 0.02:
            await asyncio.sleep(0.003)
    return list(await asyncio.gather(*tasks, return_exceptions=True))


def check_schedule(seed: int, folder: Path, calls: int) -> None:
    draw = random.Random(seed)
    service = MoodyService(seed)
    share = draw.choice([0.05, 0.3, 0.7, 2.0])
    caps = {
        "max_cost_usd": round(share * calls * 0.2, 3) if draw.random() < 0.7 else None,
        "max_tokens": int(share * calls * 150) if draw.random() < 0.4 else None,
        "max_queries": int(share * calls) if draw.random() < 0.3 else None,
    }
    mllm = budgeted(service, folder, **caps)  # type: ignore[arg-type]  # as its arguments
    asked = ask_all(mllm, calls, draw)
    answers = asyncio.run_coroutine_threadsafe(asked, event_loop()).result(PATIENCE_S)
    wait_until(lambda: not mllm.ledger.summary().attempts("in_flight"))  # cancelled ones are late
    summary, truth = mllm.ledger.summary(), service.truth
    mllm.close()

    assert truth.most_nano <= (mllm.caps.nano or 10**18)
    assert truth.most_tokens <= (mllm.caps.tokens or 10**18)
    assert truth.calls <= summary.attempts() <= (mllm.caps.queries or 10**18)
    assert truth.nano <= summary.spent.nano <= (mllm.caps.nano or 10**18)
    assert truth.tokens <= summary.spent.tokens
    exhausted = [answer for answer in answers if isinstance(answer, BudgetExhaustedError)]
    other = [a for a in answers if isinstance(a, BaseException) and a not in exhausted]
    assert all(isinstance(a, asyncio.CancelledError | MLLMError) for a in other)
    if exhausted:  # not without need
        need = summary.spent.nano + WORST_NANO, summary.spent.tokens + 150, summary.attempts() + 1
        limits = (mllm.caps.nano, mllm.caps.tokens, mllm.caps.queries)
        assert any(cap is not None and n > cap for n, cap in zip(need, limits, strict=True))
    else:
        assert truth.calls >= calls - sum(isinstance(a, asyncio.CancelledError) for a in answers)


@pytest.mark.parametrize("seed", range(6))
def test_500_calls_at_once_stay_below_every_cap(seed: int, tmp_path: Path) -> None:
    check_schedule(seed, tmp_path, 500)


@pytest.mark.slow
def test_200_schedules_stay_below_every_cap(tmp_path: Path) -> None:
    for seed in range(1000, 1200):
        check_schedule(seed, tmp_path / str(seed), 500)
