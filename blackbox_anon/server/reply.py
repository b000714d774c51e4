"""What is sent back: OpenAI's chat completion."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blackbox_anon.mllms import Response, Usage
from blackbox_anon.server.request_body import Asked

_LEAST_LOGPROB = -9999.0  # JSON has no infinity; OpenAI and vLLM send this


@dataclass(frozen=True, kw_only=True)
class Told:
    """The answer as it is told: text, its first token, tokens billed.

    Attributes:
        content: The reply's text.
        first_token: Text of the first token of the answer; empty where the model told none.
        usage: What is billed.
        cut: Whether ``max_tokens`` cut the answer.
    """

    content: str
    first_token: str
    usage: Usage
    cut: bool


def tell(asked: Asked, response: Response, *, tokens_per_image: int) -> Told:
    """Make the answer of what the model said.

    Where the model does not say what it used, usage counts words, and ``tokens_per_image`` for each
    image: figures to rehearse with, not those of a tokenizer.
    """
    logprobs = response.top_logprobs or {}
    words = response.text.split()
    answer, content = response.text, response.text
    first = max(logprobs, key=lambda token: logprobs[token], default="")
    cut = asked.max_tokens is not None and len(words) > asked.max_tokens
    if cut:
        content = answer = " ".join(words[: asked.max_tokens])
    if asked.choices is not None:
        answer, token = asked.choices.likeliest(logprobs)
        content, first, cut = asked.choices.content(answer), token or "", False
    usage = response.usage or Usage(
        input_tokens=len(asked.question.split()) + tokens_per_image * len(asked.frames),
        output_tokens=len(answer.split()),
    )
    return Told(content=content, first_token=first, usage=usage, cut=cut)


def completion(
    told: Told,
    asked: Asked,
    response: Response,
    *,
    model: str,
    fingerprint: str,
    id_: str,
    now: int,
) -> dict[str, Any]:
    """Build the reply's JSON.

    Log-probabilities are of the first token of the answer, unconstrained, natural logarithm, and
    written so that they read back to the same float. Where JSON surrounds the answer, its opening
    stands before as a token of its own. A model that reports none leaves ``logprobs`` null.
    """
    logprobs = None
    if asked.top_logprobs is not None and response.top_logprobs:
        logprobs = {"content": _logprobs(told, asked, response.top_logprobs), "refusal": None}
    return {
        "id": id_,
        "object": "chat.completion",
        "created": now,
        "model": model,
        "system_fingerprint": fingerprint,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": told.content, "refusal": None},
                "logprobs": logprobs,
                "finish_reason": "length" if told.cut else "stop",
            }
        ],
        "usage": {
            "prompt_tokens": told.usage.input_tokens,
            "completion_tokens": told.usage.output_tokens,
            "total_tokens": told.usage.input_tokens + told.usage.output_tokens,
        },
    }


def _logprobs(told: Told, asked: Asked, logprobs: Mapping[str, float]) -> list[dict[str, Any]]:
    likeliest = sorted(logprobs.items(), key=lambda pair: -pair[1])[: asked.top_logprobs]
    value = logprobs.get(told.first_token, -math.inf)
    entries = [
        {**_token(told.first_token, value), "top_logprobs": [_token(*pair) for pair in likeliest]}
    ]
    if asked.choices is not None and asked.choices.before:
        certain = _token(asked.choices.before, 0.0)
        entries.insert(0, {**certain, "top_logprobs": [certain]})
    return entries


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {
        "token": text,
        "logprob": max(logprob, _LEAST_LOGPROB),
        "bytes": list(text.encode()),
    }
