"""Money as integers: a nano-dollar is a billionth of a US dollar."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from blackbox_anon.mllms.answers import Usage

NANO_PER_USD = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a model's tokens cost.

    Sums of money are integers of nano-dollars, so they are exact; only one attempt's cost is
    rounded, up, where a token costs a fraction of a nano-dollar.

    Attributes:
        input: US dollars per million input tokens.
        output: US dollars per million output tokens.

    Example:
        >>> Price(input=Decimal("0.15"), output=Decimal("0.6")).nano(Usage(input_tokens=1000))
        150000
    """

    input: Decimal
    output: Decimal

    def nano(self, usage: Usage) -> int:
        """Return the cost of tokens in nano-dollars, rounded up."""
        millionths = self.input * usage.input_tokens + self.output * usage.output_tokens
        return int((millionths * (NANO_PER_USD // 1_000_000)).to_integral_value(ROUND_CEILING))


def nano_from_usd(usd: float) -> int:
    """Return an amount in nano-dollars, rounded down; decimal places are taken as written.

    Example:
        >>> nano_from_usd(0.1)
        100000000
    """
    return int((Decimal(str(usd)) * NANO_PER_USD).to_integral_value(ROUND_FLOOR))


def usd(nano: int) -> float:
    """Return nano-dollars in US dollars, to show and draw."""
    return nano / NANO_PER_USD


def format_usd(nano: int) -> str:
    """Write an amount with as many decimal places as it has, two at least, rounded up to six.

    Example:
        >>> format_usd(5_000_000_000), format_usd(1_234_000)
        ('5.00 USD', '0.001234 USD')
    """
    micro = -(-nano // 1000)
    text = f"{Decimal(micro) / 1_000_000:.6f}"
    whole, _, places = text.partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')} USD"
