"""Money: exact, and as a user writes it."""

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox_anon.ledger import (
    find_price,
    format_usd,
    nano_from_usd,
)
from blackbox_anon.mllms import Usage

USAGES = st.builds(Usage, input_tokens=st.integers(0, 10**7), output_tokens=st.integers(0, 10**7))


@given(usage=USAGES, cents=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)))
def test_a_cost_is_exact_to_the_nano_dollar(usage: Usage, cents: tuple[int, int]) -> None:
    """Against fractions: dollars per million tokens, four decimal places."""
    price = find_price("m", {"m": {"input": cents[0] / 10**4, "output": cents[1] / 10**4}})
    assert price is not None
    tokens = (usage.input_tokens, usage.output_tokens)
    exact = sum(Fraction(c, 10**4) * t / 10**6 for c, t in zip(cents, tokens, strict=True))
    assert 0 <= price.nano(usage) - exact * 10**9 < 1


@pytest.mark.parametrize(
    ("amount", "nano"), [(0.1, 10**8), (0.29, 29 * 10**7), (1e-9, 1), (1.5e-9, 1), (5, 5 * 10**9)]
)
def test_a_cap_is_what_was_written(amount: float, nano: int) -> None:
    assert nano_from_usd(amount) == nano


def test_money_is_written_short() -> None:
    assert [format_usd(n) for n in (0, 1, 10**6, 10**9, 12_345_678_900)] == [
        "0.00 USD", "0.000001 USD", "0.001 USD", "1.00 USD", "12.345679 USD"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "entry", [{"input": 1}, {"input": 1, "output": -1}, {"input": 1, "output": "x"}, 3,
              {"input": 1, "output": 2, "cached": 3}, {"input": float("nan"), "output": 1}]
)  # fmt: skip
def test_prices_that_are_none(entry: object) -> None:
    with pytest.raises(ValueError, match=r"`prices\['m'\]` must be"):
        find_price("m", {"m": entry})  # type: ignore[dict-item]  # the point of the test


def test_a_users_prices_come_first(tmp_path: Path) -> None:
    shipped = find_price("gpt-4o")
    for name, text in (("p.yaml", "gpt-4o: {input: 7, output: 8}"),
                       ("p.json", '{"gpt-4o": {"input": 7, "output": 8}}')):  # fmt: skip
        (tmp_path / name).write_text(text)
        found = find_price("gpt-4o", str(tmp_path / name))
        assert found is not None
        assert found != shipped
        assert found.nano(Usage(input_tokens=1)) == 7000
    assert find_price("gpt-4o-2024-05-13") is None  # it cost twice as much: no guess by the family
    with pytest.raises(ValueError, match="found no file"):
        find_price("gpt-4o", str(tmp_path / "none.yaml"))
    (tmp_path / "p.yaml").write_text("- gpt-4o")
    with pytest.raises(ValueError, match="must map models to prices"):
        find_price("gpt-4o", str(tmp_path / "p.yaml"))
