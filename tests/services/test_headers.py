from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox_anon.services import request_limit, retry_after_s
from blackbox_anon.services.headers import duration_s


@given(st.integers(0, 2**31), st.integers(-1000, 100000))
def test_reads_dates(now: int, ahead: int) -> None:
    date = formatdate(now + ahead, usegmt=True)
    assert retry_after_s({"retry-after": date}, now=now) == max(0, ahead)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"RETRY-AFTER": "0.5"}, 0.5),
        ({"Retry-After": "2", "Retry-After-Ms": "1500"}, 1.5),
        ({"Retry-After": "2", "retry-after-ms": "soon"}, 2.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "1e9"}, None),
        ({"Retry-After": ""}, None),
    ],
)
def test_reads_what_services_send(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after_s(headers) == expected


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_reads_durations(hours: int, minutes: int, seconds: int, milliseconds: int) -> None:
    text = f"{hours}h{minutes}m{seconds}s{milliseconds}ms"
    expected = 3600 * hours + 60 * minutes + seconds + milliseconds / 1000
    assert duration_s(text) == pytest.approx(expected)


def test_limits_need_both_headers() -> None:
    limit = {"x-ratelimit-limit-requests": "60"}
    assert request_limit(limit) is None
    assert request_limit({**limit, "x-ratelimit-reset-requests": "soon"}) is None
    assert (
        request_limit({"x-ratelimit-limit-requests": "0", "x-ratelimit-reset-requests": "1s"})
        is None
    )
    found = request_limit({**limit, "X-RateLimit-Reset-Requests": "59.5"})
    assert found is not None
    assert (found.limit, found.reset_s) == (60, 59.5)
