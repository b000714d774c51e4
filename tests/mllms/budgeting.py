"""A black box with a ledger, and what its calls cost at worst."""

from pathlib import Path

from blackbox_anon.ledger import find_price
from blackbox_anon.mllms import (
    AbstractMLLM,
    BudgetedMLLM,
    Usage,
)
from tests.mllms.services import PRICES, WORST

PRICE = find_price("m", PRICES)
assert PRICE is not None


WORST_NANO = PRICE.nano(WORST)


RESPONSE_USAGE = Usage(input_tokens=10, output_tokens=1)


def budgeted(
    mllm: AbstractMLLM,
    folder: Path,
    *,
    max_queries: int | None = None,
    max_tokens: int | None = None,
    max_cost_usd: float | None = None,
    max_wait_s: float = 600.0,
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
