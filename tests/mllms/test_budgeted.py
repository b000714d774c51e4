"""Caps hold under any schedule, over processes, and after a kill."""

import asyncio
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from blackbox_anon.errors import BudgetExhaustedError, MLLMError, StoreError
from blackbox_anon.ledger import Price, find_price, nano_from_usd, read_runs, read_summary
from blackbox_anon.mllms import (
    AbstractMLLM,
    Answer,
    BudgetedMLLM,
    CachedMLLM,
    Failure,
    FailureKind,
    Request,
    Response,
    RetryingMLLM,
    Usage,
)
from blackbox_anon.mllms.asynchronous import event_loop
from tests.mllms.processes import FORKS, finish, kill, start, wait_until
from tests.mllms.services import PRICES, WORST, BatchRecorder, ScriptedService, clips, says

PRICE = find_price("m", PRICES)
assert PRICE is not None
WORST_NANO = PRICE.nano(WORST)
FREE: tuple[FailureKind, ...] = ("timeout", "rate_limit", "server_error")


def budgeted(
    mllm: AbstractMLLM,
    folder: Path,
    *,
    max_queries: int | None = None,
    max_tokens: int | None = None,
    max_cost_usd: float | None = None,
    max_wait_s: float = 60.0,
    run: str | None = None,
) -> BudgetedMLLM:
    return BudgetedMLLM(
        mllm,
        path=str(folder / "ledger.sqlite"),
        prices=PRICES,
        max_queries=max_queries,
        max_tokens=max_tokens,
        max_cost_usd=max_cost_usd,
        max_wait_s=max_wait_s,
        run=run,
    )


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
    answers = asyncio.run_coroutine_threadsafe(asked, event_loop()).result(120)
    summary, truth = mllm.ledger.summary(), service.truth
    mllm.close()

    assert truth.most_nano <= (mllm.caps.nano or 10**18)
    assert truth.most_tokens <= (mllm.caps.tokens or 10**18)
    assert truth.calls <= summary.attempts() <= (mllm.caps.queries or 10**18)
    assert truth.nano <= summary.spent.nano <= (mllm.caps.nano or 10**18)
    assert truth.tokens <= summary.spent.tokens
    assert summary.attempts("in_flight") == 0
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


def ask_until_exhausted(folder: Path, seed: int, cap_usd: float, calls: int) -> None:
    """What another process does; the service logs what it bills before it answers."""
    draw = random.Random(seed)

    def script(request: Request, _: int) -> Answer:  # noqa: ARG001
        usage = Usage(input_tokens=draw.randint(1, 100), output_tokens=draw.randint(1, 50))
        with (folder / "billed.txt").open("a") as log:
            log.write(f"{usage.input_tokens} {usage.output_tokens}\n")
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
        process = start(ask_until_exhausted, tmp_path, seed, cap_usd, 10_000)
        wait_until(
            lambda before=before: len(billed(tmp_path)) >= before + killed_after  # type: ignore[misc]  # a default
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


RESPONSE_USAGE = Usage(input_tokens=10, output_tokens=1)


@pytest.mark.parametrize(
    ("answer", "state", "usage"),
    [
        (Response(text="a", usage=RESPONSE_USAGE), "paid", RESPONSE_USAGE),
        (Response(text="a"), "paid", WORST),
        (Failure(kind="rate_limit", message="429"), "free", Usage()),
        (Failure(kind="server_error", message="503"), "free", Usage()),
        (Failure(kind="timeout", message="not connected"), "free", Usage()),
        (Failure(kind="timeout", message="30 s", outcome_known=False), "unknown", WORST),
        (Failure(kind="server_error", message="reset", outcome_known=False), "unknown", WORST),
        (Failure(kind="refusal", message="no", usage=RESPONSE_USAGE), "paid", RESPONSE_USAGE),
        (Failure(kind="malformed", message="{"), "paid", WORST),
        (Failure(kind="wrong_class", message="walk"), "paid", WORST),
        (RuntimeError("bug"), "unknown", WORST),
        (MLLMError("key refused", billed=False), "free", Usage()),
    ],
)
def test_what_an_attempt_counts_for(
    answer: Answer | Exception, state: str, usage: Usage, tmp_path: Path
) -> None:
    assert PRICE is not None
    mllm = budgeted(ScriptedService(lambda _, __: answer), tmp_path, max_cost_usd=10.0)
    if isinstance(answer, Exception):
        with pytest.raises(type(answer)):
            mllm.query(clips(1), ["?"])
    else:
        mllm.query(clips(1), ["?"])
    [total] = mllm.ledger.summary().totals
    assert (total.state, total.attempts, total.nano) == (state, 1, PRICE.nano(usage))
    assert (total.input_tokens, total.output_tokens) == (usage.input_tokens, usage.output_tokens)


def test_figures(tmp_path: Path) -> None:
    answers: list[Answer] = [
        Response(text="a", usage=RESPONSE_USAGE),
        Failure(kind="rate_limit", message="429"),
        Failure(kind="timeout", message="30 s", outcome_known=False),
    ]
    mllm = budgeted(
        ScriptedService(lambda _, number: answers[number]), tmp_path, max_cost_usd=10, max_queries=9
    )
    mllm.query(clips(3), ["?"] * 3)
    assert mllm.figures() == {
        "service_calls": 3,
        "attempts": 3,
        "paid": 1,
        "unknown": 1,
        "tokens": 161,
        "spent_usd": 0.212,
        "reserved_usd": 0,
        "cap_usd": 10,
        "cap_queries": 9,
        "attempts_rate_limit": 1,
        "attempts_timeout": 1,
    }


def test_the_message_says_what_a_user_wants_to_know(tmp_path: Path) -> None:
    mllm = budgeted(ScriptedService(says("a", usage=RESPONSE_USAGE)), tmp_path, max_cost_usd=0.205)
    mllm.query(clips(1), ["?"])
    with pytest.raises(BudgetExhaustedError) as caught:
        mllm.query(clips(1), ["?"])
    assert str(caught.value).startswith(
        "the cap of money is reached: 0.205 USD is the cap, 0.012 USD spent, 0.00 USD reserved by "
        "calls in flight, the next call may take 0.20 USD (ledger "
    )


def test_a_call_waits_for_calls_that_turn_out_cheaper(tmp_path: Path) -> None:
    service = ScriptedService(says("a", usage=RESPONSE_USAGE), delay_s=lambda _: 0.001)
    mllm = budgeted(service, tmp_path, max_cost_usd=0.5)  # two worst cases at once
    mllm.query(clips(8), ["?"] * 8)
    assert service.most_at_once <= 2
    assert len(service.asked) == 8


def test_it_does_not_wait_for_ever(tmp_path: Path) -> None:
    service = ScriptedService(says("a", usage=RESPONSE_USAGE), delay_s=lambda _: 0.5)
    mllm = budgeted(service, tmp_path, max_cost_usd=0.2, max_wait_s=0.1)
    with pytest.raises(BudgetExhaustedError, match=r"0\.20 USD reserved"):
        mllm.query(clips(2), ["?"] * 2)
    assert len(service.asked) == 1


def test_an_attempt_is_one_whatever_it_cost(tmp_path: Path) -> None:
    service = ScriptedService(lambda _, __: Failure(kind="rate_limit", message="429"))
    mllm = RetryingMLLM(budgeted(service, tmp_path, max_queries=3), base_delay_s=0.0)
    with pytest.raises(BudgetExhaustedError, match="3 queries spent"):
        mllm.query(clips(1), ["?"])
    assert len(service.asked) == 3


def test_a_bill_above_the_worst_case_is_told_and_remembered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    more = Usage(input_tokens=130, output_tokens=50)
    mllm = budgeted(ScriptedService(says("a", usage=more)), tmp_path, max_cost_usd=10)
    with caplog.at_level(logging.ERROR):
        mllm.query(clips(1), ["?"])
    assert "more than its worst case" in caplog.text
    caplog.clear()
    mllm.query(clips(3), ["?"] * 3)
    assert not caplog.text  # it was expected this time
    assert mllm.figures()["spent_usd"] == pytest.approx(4 * 0.23)
    mllm.close()
    again = budgeted(ScriptedService(says("a")), tmp_path, max_cost_usd=4 * 0.23 + 0.22)
    with pytest.raises(BudgetExhaustedError, match=r"may take 0\.23 USD"):
        again.query(clips(1), ["?"])


def test_a_cap_may_be_raised(tmp_path: Path) -> None:
    for cap in (2, 3):
        mllm = budgeted(ScriptedService(says("a")), tmp_path, max_queries=cap)
        with pytest.raises(BudgetExhaustedError):
            mllm.query(clips(5), ["?"] * 5)
        assert mllm.ledger.summary().attempts() == cap
        mllm.close()


def test_money_needs_a_price(tmp_path: Path) -> None:
    service = ScriptedService(says("a"))
    path = str(tmp_path / "ledger.sqlite")
    with pytest.raises(ValueError, match="`prices` must have the model 'm'"):
        BudgetedMLLM(service, path=path, max_cost_usd=1.0)
    unpriced = BudgetedMLLM(service, path=path, max_tokens=151)
    unpriced.query(clips(1), ["?"])
    assert "spent_usd" not in unpriced.figures()
    with pytest.raises(BudgetExhaustedError, match="150 tokens spent"):
        unpriced.query(clips(1), ["?"])
    assert BudgetedMLLM(service, path=path, model="gpt-4o", max_cost_usd=1.0).price is not None
    assert not Path(tmp_path / "unused.sqlite").exists()


@pytest.mark.parametrize("name", ["max_queries", "max_tokens", "max_cost_usd"])
def test_caps_are_not_negative(name: str, tmp_path: Path) -> None:
    caps: Mapping[str, int] = {name: -1}
    with pytest.raises(ValueError, match=f"`{name}` must be 0 or more"):
        budgeted(ScriptedService(says("a")), tmp_path, **caps)  # type: ignore[arg-type]  # one cap


def test_no_pixel_and_no_text_of_a_request_is_written(tmp_path: Path) -> None:
    mllm = budgeted(ScriptedService(says("SECRET ANSWER")), tmp_path)
    frames = clips(1, size=16)
    mllm.query(frames, ["SECRET QUESTION"])
    mllm.close()
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"SECRET" not in written
    assert frames.numpy().tobytes()[:64] not in written


def test_another_file_is_refused(tmp_path: Path) -> None:
    CachedMLLM(BatchRecorder(), path=str(tmp_path / "ledger.sqlite")).query(clips(1), ["?"])
    with pytest.raises(StoreError, match="`path` must be a ledger of paid calls"):
        budgeted(ScriptedService(says("a")), tmp_path).query(clips(1), ["?"])


def test_building_one_touches_no_file(tmp_path: Path) -> None:
    budgeted(ScriptedService(says("a")), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_price_is_exact_and_rounded_up_once() -> None:
    price = find_price("m", {"m": {"input": 0.0375, "output": 0.1}})
    assert isinstance(price, Price)
    assert price.nano(Usage(input_tokens=1)) == 38
    assert price.nano(Usage(input_tokens=2)) == 75
    assert price.nano(Usage(input_tokens=2, output_tokens=3)) == 375
