import pytest

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms import Failure
from blackbox_anon.services import error_failure


@pytest.mark.parametrize(
    ("status", "kind", "known"),
    [
        (408, "timeout", False),
        (409, "server_error", True),
        (425, "server_error", True),
        (429, "rate_limit", True),
        (500, "server_error", True),
        (502, "server_error", False),
        (503, "server_error", True),
        (504, "server_error", False),
        (524, "server_error", False),
        (529, "server_error", True),
    ],
)
def test_what_may_pass_is_a_failure(status: int, kind: str, known: bool) -> None:
    failure = error_failure(status, {"error": {"message": "busy"}}, retry_after_s=3.0)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.outcome_known) == (kind, known)
    assert failure.retry_after_s == 3.0
    assert failure.message == f"HTTP {status}: busy"


@pytest.mark.parametrize("status", [301, 307, 400, 401, 402, 403, 404, 405, 413, 415, 422])
def test_what_will_not_pass_is_an_error(status: int) -> None:
    error = error_failure(status, {"error": {"message": "no", "code": None}})
    assert isinstance(error, MLLMError)
    assert not error.billed
    assert f"HTTP {status}): no" in str(error)


def test_an_empty_account_is_no_rate_limit() -> None:
    body = {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}
    assert isinstance(error_failure(429, body), MLLMError)


@pytest.mark.parametrize("code", ["content_filter", "content_policy_violation"])
def test_a_filter_that_answers_400_is_a_refusal(code: str) -> None:
    failure = error_failure(400, {"error": {"message": "filtered", "code": code}})
    assert isinstance(failure, Failure)
    assert failure.kind == "refusal"


@pytest.mark.parametrize(
    "body",
    [None, "", "<html>bad gateway</html>", [], {"detail": "odd"}, {"error": "odd"}, {"error": 3}],
)
def test_reads_errors_of_any_shape(body: object) -> None:
    failure = error_failure(500, body)
    assert isinstance(failure, Failure)
    assert len(failure.message) < 600
