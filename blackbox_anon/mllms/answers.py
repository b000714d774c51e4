"""What comes back from a black box: a response, or a failure that is never taken for one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

FailureKind = Literal[
    "timeout", "rate_limit", "refusal", "malformed", "wrong_class", "server_error"
]


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens that a service bills for one attempt.

    Attributes:
        input_tokens: Tokens of the prompt and the images.
        output_tokens: Tokens of the answer, those of hidden reasoning included.
    """

    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class Response:
    """What a service sends back for one clip and one prompt.

    Attributes:
        text: The decoded answer.
        top_logprobs: Log-probabilities (nats) of the likeliest first answer tokens by their text,
            where the service gives them; else ``None``.
        usage: What the service says it billed; ``None`` where it says nothing.
    """

    text: str
    top_logprobs: Mapping[str, float] | None = None
    usage: Usage | None = None


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A call that gave no answer. It is a value, so one lost call does not cost the others.

    Attributes:
        kind: What went wrong. ``refusal``: the model declined; ``malformed``: the reply is no
            answer (broken JSON, no choice, another model's); ``wrong_class``: the answer is none of
            the choices it had.
        message: What to tell a user; holds no key and no image.
        usage: What was billed all the same, where the service said so.
        outcome_known: False if the service may have done (and billed) the work unnoticed, as after
            a timeout or a connection that broke.
        retry_after_s: How long the service asked to wait, in seconds.
    """

    kind: FailureKind
    message: str
    usage: Usage | None = None
    outcome_known: bool = True
    retry_after_s: float | None = None


Answer = Response | Failure


def answered(answers: Sequence[Answer]) -> list[int]:
    """Return the positions of the responses among answers.

    Example:
        >>> answered([Response(text="run"), Failure(kind="timeout", message="30 s passed")])
        [0]
    """
    return [i for i, answer in enumerate(answers) if isinstance(answer, Response)]
