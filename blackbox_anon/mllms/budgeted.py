"""A cap on queries, tokens and money that holds over processes and restarts."""

import asyncio
import logging
import os
import time
from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial

from typing_extensions import override

from blackbox_anon.errors import BudgetExhaustedError, MLLMError
from blackbox_anon.ledger.caps import Caps, Refusal
from blackbox_anon.ledger.ledger import Ledger
from blackbox_anon.ledger.money import format_usd, nano_from_usd
from blackbox_anon.ledger.operations import Reservation, Settlement, billed, excess_of
from blackbox_anon.ledger.prices import find_price
from blackbox_anon.mllms.abstract import AbstractMLLM, Request
from blackbox_anon.mllms.answers import Answer, Response, Usage
from blackbox_anon.mllms.gathering import paused
from blackbox_anon.mllms.wrapping import AbstractWrapper, request_key
from blackbox_anon.threads import PerProcess

_log = logging.getLogger(__name__)

_NOT_BILLED = ("timeout", "rate_limit", "server_error")  # where the outcome is known
_POLL_S = 0.05  # how often a call that waits looks again


class BudgetedMLLM(AbstractWrapper):
    """Records every attempt in a ledger before it is made, and makes none that a cap may not bear.

    What a call may cost at worst is reserved on the disk, then it is made, then the reservation is
    replaced by what was billed. What may have been billed unnoticed (a timeout, a broken
    connection, a killed process) counts as its worst case; a call that the service refused for its
    rate costs nothing, but is an attempt. Should a service bill more than its worst case, the bill
    is recorded as it is, an error is logged, and from then on that excess is added to the model's
    worst case.

    A call that fits only if calls in flight turn out cheaper than feared waits for them.

    Put it next to the service, inside :class:`~blackbox_anon.mllms.RetryingMLLM`, so that every
    attempt is seen.

    Args:
        mllm: What is asked.
        path: The ledger, an SQLite file on a local disk. Whoever names the same file shares the
            caps.
        model: Name in the table of prices; ``None`` takes ``model`` of the identity of ``mllm``.
        prices: US dollars per million tokens, ``{model: {input: ..., output: ...}}``, or a YAML or
            JSON file of that; looked up before the shipped table, which the user must check.
        max_queries: The most attempts.
        max_tokens: The most input and output tokens.
        max_cost_usd: The most money.
        max_wait_s: How long a call may wait for others to turn out cheaper.
        run: Name of the run in the ledger; ``None`` makes one of the time and the process.

    Raises:
        ValueError: If a cap is negative, or money is capped and the model has no price.
    """

    def __init__(
        self,
        mllm: AbstractMLLM,
        *,
        path: str,
        model: str | None = None,
        prices: Mapping[str, Mapping[str, float]] | str | None = None,
        max_queries: int | None = None,
        max_tokens: int | None = None,
        max_cost_usd: float | None = None,
        max_wait_s: float = 600.0,
        run: str | None = None,
    ) -> None:
        super().__init__(mllm)
        _check_caps(max_queries=max_queries, max_tokens=max_tokens, max_cost_usd=max_cost_usd)
        self.path = path
        self.model = model or str(mllm.identity.get("model", ""))
        self.price = find_price(self.model, prices)
        if max_cost_usd is not None and self.price is None:
            msg = (
                f"`prices` must have the model {self.model!r}, as `max_cost_usd` is given; the "
                "shipped table does not have it: give {model: {input: USD, output: USD}} per "
                "million tokens"
            )
            raise ValueError(msg)
        self.caps = Caps(
            queries=max_queries,
            tokens=max_tokens,
            nano=None if max_cost_usd is None else nano_from_usd(max_cost_usd),
        )
        self.max_wait_s = max_wait_s
        self.run = run or f"{time.strftime('%Y-%m-%dT%H:%M:%S')}-{os.getpid()}"
        self._here = PerProcess(partial(_open, path, self.run))

    @property
    def ledger(self) -> Ledger:
        """The ledger, opened at the first use in a process.

        Raises:
            StoreError: If the file is damaged, of another version, or something else.
        """
        return self._here.get()[0]

    def close(self) -> None:
        """Close the ledger; the next use opens it again."""
        opened = self._here.forget()
        if opened is not None:
            opened[0].close()

    @override
    def own_figures(self) -> dict[str, float]:
        return self.ledger.summary().figures(self.caps, priced=self.price is not None)

    @override
    async def answer(self, request: Request) -> Answer:
        reserved = await self._reserve(request)
        try:
            answer = await self.ask_inside(request)
        except BaseException as error:
            known_free = isinstance(error, MLLMError) and not error.billed
            cancelled = isinstance(error, asyncio.CancelledError)
            self.ledger.settle(
                reserved,
                Settlement(
                    state="free" if known_free else "unknown",
                    outcome="cancelled" if cancelled else "error",
                    usage=Usage() if known_free else None,
                ),
            )
            raise
        settlement = settlement_of(answer)
        _report_excess(reserved, settlement)
        await asyncio.wrap_future(self.ledger.settle(reserved, settlement))
        return answer

    async def _reserve(self, request: Request) -> Reservation:
        """Reserve at once, or in turn: a call that waits is not overtaken."""
        ledger, gate = self._here.get()
        deadline = time.monotonic() + self.max_wait_s
        if not gate.locked():
            found = await self._try_to_reserve(ledger, request)
            if isinstance(found, Reservation):
                return found
        with paused():
            await gate.acquire()
        try:
            return await self._reserve_in_turn(ledger, request, deadline)
        finally:
            gate.release()

    async def _reserve_in_turn(
        self, ledger: Ledger, request: Request, deadline: float
    ) -> Reservation:
        while True:
            found = await self._try_to_reserve(ledger, request)
            if isinstance(found, Reservation):
                return found
            if not found.may_fit_later or time.monotonic() > deadline:
                raise BudgetExhaustedError(f"{found} (ledger {str(ledger.path)!r})")
            with paused():
                await asyncio.sleep(_POLL_S)

    async def _try_to_reserve(self, ledger: Ledger, request: Request) -> Reservation | Refusal:
        reserving = ledger.reserve(
            self.model,
            await request_key(self, request),
            self.worst_case(request),
            price=self.price,
            caps=self.caps,
        )
        try:
            return await asyncio.wrap_future(reserving)
        except asyncio.CancelledError:
            reserving.add_done_callback(lambda done: _give_back(ledger, done))
            raise


def settlement_of(answer: Answer) -> Settlement:
    """Return what an answer says about its bill; without a word, the worst case was billed."""
    if isinstance(answer, Response):
        return Settlement(state="paid", outcome="response", usage=answer.usage)
    if not answer.outcome_known:
        return Settlement(state="unknown", outcome=answer.kind)
    if answer.usage is None and answer.kind in _NOT_BILLED:
        return Settlement(state="free", outcome=answer.kind, usage=Usage())
    return Settlement(state="paid", outcome=answer.kind, usage=answer.usage)


def _give_back(ledger: Ledger, reserving: "Future[Reservation | Refusal]") -> None:
    """Free what was reserved for a call that was cancelled before it was made."""
    if reserving.exception() is None and isinstance(found := reserving.result(), Reservation):
        ledger.settle(found, Settlement(state="free", outcome="cancelled", usage=Usage()))


def _report_excess(reserved: Reservation, settlement: Settlement) -> None:
    usage, nano = billed(reserved, settlement)
    if excess_of(usage, reserved.usage) == Usage():
        return
    _log.error(
        "%s billed %s, %s: more than its worst case of %s, %s; the ledger says so, the caps may be "
        "exceeded by the difference, and the worst case is raised from now on",
        reserved.intent.model or "the model",
        usage,
        format_usd(nano),
        reserved.usage,
        format_usd(reserved.nano),
    )


def _check_caps(**caps: float | None) -> None:
    for name, cap in caps.items():
        if cap is not None and not 0 <= cap < float("inf"):
            raise ValueError(f"`{name}` must be 0 or more, or None; found {cap}")


def _open(path: str, run: str) -> tuple[Ledger, asyncio.Lock]:
    """Open the ledger, with a gate for this process's calls that wait in turn."""
    return Ledger(path, run=run), asyncio.Lock()
