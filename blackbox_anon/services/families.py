"""Which fields a kind of service understands; some ignore, silently, what they do not know."""

import re
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import urlsplit

FamilyName = Literal["openai", "openai_reasoning", "vllm", "sglang", "ollama", "generic"]
FAMILY_NAMES: tuple[FamilyName, ...] = get_args(FamilyName)
ChoiceField = Literal["json_schema", "structured_outputs", "regex"]

_REASONING = re.compile(r"(?:.*/)?(?:o\d|gpt-[5-9])(?!.*-chat)", re.IGNORECASE)
_OPENAI_HOSTS = re.compile(r"(?:.+\.)?(?:openai\.com|openai\.azure\.com)", re.IGNORECASE)
_PORTS: dict[int, FamilyName] = {11434: "ollama", 30000: "sglang"}  # their defaults, no one else's


@dataclass(frozen=True, kw_only=True)
class Family:
    """What one kind of service understands.

    Attributes:
        token_limit: The field with the most tokens of an answer.
        greedy: Whether ``temperature`` and ``seed`` may be given. Reasoning models refuse a
            temperature; elsewhere 0 must be given, or the server's own setting holds.
        logprobs: Most log-probabilities per token; 0 where they are refused.
        choices: The field that constrains the answer. vLLM and SGLang also know JSON schemas, but
            their own fields give the bare text.
        store: Whether ``store: false`` is understood: the service then keeps no copy.
        detail: Whether images have a ``detail``.
        max_images: Most images of a request; ``None`` where the server's start decides.
        max_new_tokens: Tokens of an answer where a user gives no number; hidden reasoning counts.
    """

    token_limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    greedy: bool = True
    logprobs: int = 20
    choices: ChoiceField = "json_schema"
    store: bool = False
    detail: bool = False
    max_images: int | None = None
    max_new_tokens: int = 64


_OPENAI = Family(
    token_limit="max_completion_tokens",
    store=True,
    detail=True,
    max_images=250,  # what GPT-4o refuses beyond; the guide says 500
)
FAMILIES: dict[FamilyName, Family] = {
    "openai": _OPENAI,
    "openai_reasoning": Family(
        token_limit="max_completion_tokens",
        greedy=False,
        logprobs=0,
        store=True,
        detail=True,
        max_images=250,
        max_new_tokens=4096,
    ),
    "vllm": Family(choices="structured_outputs"),  # `guided_choice` is ignored since 0.12, silently
    "sglang": Family(choices="regex"),
    "ollama": Family(),
    "generic": Family(),
}
"""By name. ``generic`` sends what all of them know."""


def family_name(name: FamilyName | Literal["auto"], base_url: str, model: str) -> FamilyName:
    """Return the family; ``auto`` tells OpenAI's hosts and models and the usual ports of servers.

    vLLM's usual port is everyone's, so such a server counts as ``generic`` until it is named.

    Example:
        >>> family_name("auto", "https://api.openai.com/v1", "gpt-4.1-mini")
        'openai'
        >>> family_name("auto", "https://api.openai.com/v1", "gpt-5-mini")
        'openai_reasoning'
        >>> family_name("auto", "http://127.0.0.1:11434/v1", "llava")
        'ollama'
    """
    if name != "auto":
        return name
    parts = urlsplit(base_url)
    if _OPENAI_HOSTS.fullmatch(parts.hostname or ""):
        return "openai_reasoning" if _REASONING.match(model) else "openai"
    return _PORTS.get(parts.port or 0, "generic")
