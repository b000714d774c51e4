"""From a question to the full prompt of a model."""

from dataclasses import dataclass, field
from typing import Any

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms.local.families import Family, Media

QUESTION = "{question}"


@dataclass(frozen=True, kw_only=True)
class PromptTemplate:
    """The prompt around a question.

    In this order: what the user gave, the processor's chat template, the family's own prompt.

    Attributes:
        processor: The model's processor.
        family: The model's family.
        given: What the user gave: the full prompt with ``{question}`` and, once, the placeholder
            of an image or a video.
    """

    processor: Any
    family: Family
    given: str | None = None
    _made: dict[tuple[Media, int], str] = field(default_factory=dict, repr=False)

    def placeholder(self, media: Media) -> str | None:
        """What stands for one image or one video; ``None`` if the model does not read it."""
        kind = "image" if media == "images" else "video"
        if getattr(self.processor, f"{kind}_processor", None) is None:
            return None
        token = getattr(self.processor, f"{kind}_token", None)
        return token if token is None else str(token)

    def media(self) -> set[Media]:
        """What the model reads, or what of it the given template has a placeholder for."""
        read: set[Media] = {m for m in ("images", "video") if self.placeholder(m) is not None}
        if self.given is None:
            return read
        return {m for m in read if str(self.placeholder(m)) in self.given}

    def text(self, media: Media, count: int) -> str:
        """Return the prompt with ``{question}`` for ``count`` images, or for one video.

        Raises:
            MLLMError: If the template does not place each image or the video.
        """
        if (media, count) not in self._made:
            self._made[media, count] = self._make(media, count if media == "images" else 1)
        return self._made[media, count]

    def _make(self, media: Media, count: int) -> str:
        token = str(self.placeholder(media))
        text = self._text(media, token, count)
        found = text.count(token)
        if found != count:
            msg = (
                f"`prompt_template` must place {token!r} once for {count} {media}; "
                f"found {found} in {text!r}"
            )
            raise MLLMError(msg)
        return text

    def _text(self, media: Media, token: str, count: int) -> str:
        unit = self.family.wrap.format(token)
        if self.given is not None:
            unit = unit if unit in self.given else token
            return self.given.replace(unit, _several(unit, count))
        if getattr(self.processor, "chat_template", None):
            return self._chat(media, count)
        if self.family.prompt is None:
            msg = (
                "`prompt_template` must be given for a model without a chat template and of a "
                f"family that is not known here; found none and {type(self.processor).__name__}"
            )
            raise MLLMError(msg)
        return self.family.prompt.replace("{frames}", _several(unit, count))

    def _chat(self, media: Media, count: int) -> str:
        kind = "image" if media == "images" else "video"
        content = [*({"type": kind} for _ in range(count)), {"type": "text", "text": QUESTION}]
        turns = [{"role": "user", "content": content}]
        return str(self.processor.apply_chat_template(turns, add_generation_prompt=True))


def _several(unit: str, count: int) -> str:
    """One placeholder per image; LLaVA's have a line each, those in brackets follow each other."""
    return ("" if unit.endswith("|>") else "\n").join([unit] * count)
