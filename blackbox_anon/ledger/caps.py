"""Caps, and what a call needs of them."""

from dataclasses import dataclass
from typing import Literal

from blackbox_anon.ledger.money import format_usd
from blackbox_anon.mllms.answers import Usage

CapName = Literal["queries", "tokens", "money"]


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """Attempts, tokens and money: of a cap, of what was spent, or of what a call may need.

    Attributes:
        queries: Attempts.
        tokens: Input and output tokens.
        nano: Money in nano-dollars.
    """

    queries: int = 0
    tokens: int = 0
    nano: int = 0

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(
            queries=self.queries + other.queries,
            tokens=self.tokens + other.tokens,
            nano=self.nano + other.nano,
        )

    def __sub__(self, other: "Amounts") -> "Amounts":
        return Amounts(
            queries=self.queries - other.queries,
            tokens=self.tokens - other.tokens,
            nano=self.nano - other.nano,
        )


def needed(usage: Usage, nano: int) -> Amounts:
    """Return what one attempt takes."""
    return Amounts(queries=1, tokens=usage.input_tokens + usage.output_tokens, nano=nano)


@dataclass(frozen=True, kw_only=True)
class Caps:
    """The most that may be spent, over all processes and restarts; ``None`` is no cap.

    Attributes:
        queries: Attempts, those that failed included.
        tokens: Input and output tokens.
        nano: Money in nano-dollars.
    """

    queries: int | None = None
    tokens: int | None = None
    nano: int | None = None

    def exceeded_by(self, amounts: Amounts) -> CapName | None:
        """Return the first cap that ``amounts`` exceed.

        Example:
            >>> Caps(tokens=10).exceeded_by(Amounts(tokens=11))
            'tokens'
            >>> Caps(tokens=10).exceeded_by(Amounts(tokens=10))
        """
        if self.queries is not None and amounts.queries > self.queries:
            return "queries"
        if self.tokens is not None and amounts.tokens > self.tokens:
            return "tokens"
        if self.nano is not None and amounts.nano > self.nano:
            return "money"
        return None


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a call may not be made.

    Attributes:
        cap: Which cap.
        caps: All caps.
        spent: What is known or must be assumed to be spent.
        reserved: What calls in flight hold at most.
        need: What the refused call may cost.
        may_fit_later: Whether it fits if the calls in flight turn out to cost nothing.
    """

    cap: CapName
    caps: Caps
    spent: Amounts
    reserved: Amounts
    need: Amounts
    may_fit_later: bool

    def __str__(self) -> str:
        most, spent, reserved, need = (
            _amount(self.cap, amounts)
            for amounts in (self.caps, self.spent, self.reserved, self.need)
        )
        return (
            f"the cap of {self.cap} is reached: {most} is the cap, {spent} spent, {reserved} "
            f"reserved by calls in flight, the next call may take {need}"
        )


def _amount(cap: CapName, amounts: Amounts | Caps) -> str:
    if cap == "money":
        return format_usd(amounts.nano or 0)
    return f"{amounts.queries if cap == 'queries' else amounts.tokens} {cap}"
