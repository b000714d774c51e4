"""What models cost: a table that ships with the package, and the user's own before it."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from pathlib import Path

import yaml

from blackbox_anon.ledger.money import Price

Prices = Mapping[str, Mapping[str, float]]
"""US dollars per million tokens: ``{"model": {"input": 0.15, "output": 0.6}}``."""


def find_price(model: str, prices: Prices | str | None = None) -> Price | None:
    """Look up a model by its exact name: a dated release may cost more than its family.

    Args:
        model: Name as the service knows it.
        prices: The user's own, or a YAML or JSON file of them; before the shipped table.

    Returns:
        The price; ``None`` for a model that stands in neither.

    Raises:
        ValueError: If ``prices`` is no such table; the message names the entry.

    Example:
        >>> find_price("gpt-4o-mini").input
        Decimal('0.15')
        >>> find_price("mine", {"mine": {"input": 0.1, "output": 0.3}}).output
        Decimal('0.3')
    """
    shipped = yaml.safe_load((files("blackbox_anon.ledger") / "prices.yaml").read_text())
    table = {**shipped, **_read(prices)}
    return _price(model, table[model]) if model in table else None


def _read(prices: Prices | str | None) -> Prices:
    if prices is None:
        return {}
    if isinstance(prices, Mapping):
        return prices
    if not Path(prices).is_file():
        raise ValueError(f"`prices` must be a table or a file of one; found no file {prices!r}")
    try:
        found = yaml.safe_load(Path(prices).read_text(encoding="utf-8"))  # JSON is YAML
    except yaml.YAMLError as error:
        raise ValueError(f"`prices` must be YAML or JSON; {prices!r} is not: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"`prices` must map models to prices; {prices!r} does not")
    return found


def _price(model: str, entry: object) -> Price:
    complete = isinstance(entry, Mapping) and set(entry) == {"input", "output"}
    values = [entry["input"], entry["output"]] if complete else []  # type: ignore[index]  # checked
    amounts = [amount for value in values if (amount := _amount(value)) is not None]
    if len(amounts) != 2:
        msg = (
            f"`prices[{model!r}]` must be {{input: USD, output: USD}} per million tokens, "
            f"0 or more; found {entry!r}"
        )
        raise ValueError(msg)
    return Price(input=amounts[0], output=amounts[1])


def _amount(value: object) -> Decimal | None:
    """Take decimal places as written: 0.15 is fifteen hundredths, not the nearest binary."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None
