"""What an attempt counts for, and what a user is told."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

import pytest

from blackbox_anon.errors import BudgetExhaustedError, MLLMError, StoreError
from blackbox_anon.ledger import Price, find_price
from blackbox_anon.mllms import (
    Answer,
    BudgetedMLLM,
    CachedMLLM,
    Failure,
    Request,
    Response,
    RetryingMLLM,
    Usage,
)
from blackbox_anon.mllms.asynchronous import event_loop
from tests.mllms.budgeting import PRICE, RESPONSE_USAGE, budgeted
from tests.mllms.processes import PATIENCE_S
from tests.mllms.services import WORST, BatchRecorder, ScriptedService, clips, says


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
    service = ScriptedService(says("a", usage=RESPONSE_USAGE), delay_s=lambda _: 3600.0)
    mllm = budgeted(service, tmp_path, max_cost_usd=0.2, max_wait_s=0.1)
    requests = [Request(frames=clip, prompt="?") for clip in clips(2)]

    async def ask_both() -> None:
        """The first holds all there is until the second gave up."""
        first = asyncio.ensure_future(mllm.answer(requests[0]))
        while not service.asked:
            await asyncio.sleep(0.001)
        with pytest.raises(BudgetExhaustedError, match=r"0\.20 USD reserved"):
            await mllm.answer(requests[1])
        first.cancel()
        await asyncio.wait([first])

    asyncio.run_coroutine_threadsafe(ask_both(), event_loop()).result(PATIENCE_S)
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
