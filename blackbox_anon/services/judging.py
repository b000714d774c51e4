"""From what came back to an answer, with messages that hold neither the key nor pixels."""

import json
from dataclasses import replace

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms.answers import Answer, Failure, Response
from blackbox_anon.services.errors import error_failure
from blackbox_anon.services.headers import retry_after_s
from blackbox_anon.services.limiter import AdaptiveLimiter, Ticket
from blackbox_anon.services.replies import Expected, read_reply
from blackbox_anon.services.secret import ApiKey, scrub
from blackbox_anon.services.transport import Reply


def judged(reply: Reply | Failure, expected: Expected, key: ApiKey | None) -> Answer | MLLMError:
    """Return the answer, or the error to raise.

    Args:
        reply: What came back, or why nothing did.
        expected: What an answer must be.
        key: Never repeated, even if the service does.

    Example:
        >>> expected = Expected(models=["m"], choices=None, choice_field="regex")
        >>> judged(Reply(status=401, headers={}, body=b"Bearer abc?"), expected, None)
        MLLMError('the key is refused (HTTP 401): ***')
    """
    found = _read(reply, expected)
    clean = scrub if key is None else key.scrub
    if isinstance(found, Failure):
        return replace(found, message=clean(found.message))
    if isinstance(found, MLLMError):
        return MLLMError(clean(str(found)), billed=found.billed)
    return found


def teach(
    limiter: AdaptiveLimiter, ticket: Ticket, reply: Reply | Failure, outcome: Answer | MLLMError
) -> None:
    """Tell the limiter; a service that failed is not asked less, but after the time it told."""
    if isinstance(outcome, Failure) and outcome.kind == "rate_limit":
        limiter.refuse(ticket, outcome.retry_after_s)
    elif isinstance(outcome, Failure) and outcome.retry_after_s is not None:
        limiter.pause(outcome.retry_after_s)
    elif isinstance(reply, Reply) and isinstance(outcome, Response):
        limiter.succeed(ticket, reply.headers)


def _read(reply: Reply | Failure, expected: Expected) -> Answer | MLLMError:
    if isinstance(reply, Failure):
        return reply
    if 200 <= reply.status < 300:
        return read_reply(reply.body, expected)
    wait_s = retry_after_s(reply.headers)
    return error_failure(reply.status, _decoded(reply.body), retry_after_s=wait_s)


def _decoded(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
