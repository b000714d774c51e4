from collections import Counter
from hashlib import sha256
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackbox_anon.server import FAULT_KINDS, FaultKind, FaultSchedule, even_shares

HASHES = [sha256(bytes([i, j])).hexdigest() for i in range(100) for j in range(100)]


def test_kinds_are_all_listed() -> None:
    assert get_args(FaultKind) == FAULT_KINDS


@settings(deadline=None)  # a busy machine stalls
@given(st.integers(), st.text("0123456789abcdef", min_size=1), st.integers(0, 10))
def test_the_same_three_always_draw_the_same(seed: int, body_hash: str, attempt: int) -> None:
    forward = FaultSchedule(shares=even_shares(0.5), seed=seed)
    backward = FaultSchedule(shares=dict(reversed(even_shares(0.5).items())), seed=seed)
    forward.fault("of another", 3)  # no state to disturb
    assert forward.fault(body_hash, attempt) == backward.fault(body_hash, attempt)


def test_shares_are_kept() -> None:
    shares: dict[FaultKind, float] = {"500": 0.1, "reset": 0.05, "drip": 0.0}
    schedule = FaultSchedule(shares=shares, seed=1)
    found = Counter(schedule.fault(body_hash, 0) for body_hash in HASHES)
    for kind, share in shares.items():
        deviation = (share * (1 - share) / len(HASHES)) ** 0.5
        assert found[kind] / len(HASHES) == pytest.approx(share, abs=4 * deviation)
    assert set(found) == {None, "500", "reset"}


def test_attempts_requests_and_seeds_are_drawn_independently() -> None:
    a, b = (FaultSchedule(shares={"500": 0.5}, seed=seed) for seed in (0, 1))
    drawn = [
        [schedule.fault(body_hash, attempt) for body_hash in HASHES]
        for schedule in (a, b)
        for attempt in (0, 1)
    ]
    for one in range(4):
        for other in range(one):
            agreeing = sum(x == y for x, y in zip(drawn[one], drawn[other], strict=True))
            assert agreeing / len(HASHES) == pytest.approx(0.5, abs=0.02)


def test_uniform_fills_the_unit_interval() -> None:
    drawn = [FaultSchedule().uniform("latency", body_hash, 0) for body_hash in HASHES]
    assert all(0 <= value < 1 for value in drawn)
    tenths = Counter(int(value * 10) for value in drawn)
    assert all(abs(tenths[tenth] - 1000) < 130 for tenth in range(10))


def test_all_and_nothing() -> None:
    everything = FaultSchedule(shares=even_shares(1.0))
    assert {everything.fault(body_hash, 0) for body_hash in HASHES[:500]} == set(FAULT_KINDS)
    assert {FaultSchedule().fault(body_hash, 0) for body_hash in HASHES[:500]} == {None}


@pytest.mark.parametrize("shares", [{"500": -0.1}, {"500": 0.6, "429": 0.6}, {"500": float("nan")}])
def test_shares_that_are_none_are_refused(shares: dict[FaultKind, float]) -> None:
    with pytest.raises(ValueError, match=r"`faults` must be shares from 0, together at most 1"):
        FaultSchedule(shares=shares)


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ValueError, match=r"`faults` must be among 429, .*; found 404"):
        FaultSchedule(shares={"404": 0.1})  # type: ignore[dict-item]  # what is tested
