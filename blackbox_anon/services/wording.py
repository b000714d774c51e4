"""How a request is written: the exact bytes that go out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from blackbox_anon.services.choices import choice_fields
from blackbox_anon.services.families import Family
from blackbox_anon.services.image_tokens import Detail

RESERVED = ("model", "messages", "n", "stream", "max_tokens", "max_completion_tokens")
"""What further fields may not hold: replies are read, and costs bounded, by ours."""


@dataclass(frozen=True, kw_only=True)
class Wording:
    """Everything of a request but its question and images.

    Attributes:
        model: Name of the model.
        family: What the service understands.
        max_new_tokens: Most tokens of an answer.
        num_logprobs: Log-probabilities per token; 0 asks for none.
        choices: What may be answered; ``None``: anything.
        seed: Of sampling; ``None`` sends none.
        detail: Of images.
        text: Where the question stands among the images.
        extra: Further fields of the request; they take the place of ours.
    """

    model: str
    family: Family
    max_new_tokens: int
    num_logprobs: int = 0
    choices: Sequence[str] | None = None
    seed: int | None = 0
    detail: Detail = "low"
    text: Literal["first", "last"] = "first"
    extra: Mapping[str, object] = field(default_factory=dict)

    def body(self, question: str, images: Sequence[str]) -> bytes:
        """Return the request as canonical JSON: sorted keys, no spaces, ASCII.

        Args:
            question: The question.
            images: Data URIs, in the order of the frames.
        """
        asked: dict[str, object] = {
            **self._fields(),
            **self.extra,
            "model": self.model,
            "messages": [{"role": "user", "content": self._content(question, images)}],
        }
        text = json.dumps(asked, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return text.encode("ascii")

    def _content(self, question: str, images: Sequence[str]) -> list[object]:
        detail = {"detail": self.detail} if self.family.detail else {}
        shown: list[object] = [
            {"type": "image_url", "image_url": {"url": image, **detail}} for image in images
        ]
        said: list[object] = [{"type": "text", "text": question}]
        return said + shown if self.text == "first" else shown + said

    def _fields(self) -> dict[str, object]:
        fields: dict[str, object] = {self.family.token_limit: self.max_new_tokens}
        if self.family.greedy:
            fields["temperature"] = 0
            if self.seed is not None:
                fields["seed"] = self.seed
        if self.family.store:
            fields["store"] = False
        if self.num_logprobs > 0:
            fields |= {"logprobs": True, "top_logprobs": self.num_logprobs}
        if self.choices is not None:
            fields |= choice_fields(self.choices, self.family.choices)
        return fields
