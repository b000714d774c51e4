"""What is asked, and what may come back, under one list of choices."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final
from weakref import WeakKeyDictionary

from blackbox_anon.mllms.abstract import Request
from blackbox_anon.mllms.answers import Usage
from blackbox_anon.services.image_tokens import most_image_tokens
from blackbox_anon.services.images import ImageFormat, data_uri
from blackbox_anon.services.replies import Expected
from blackbox_anon.services.wording import Wording

QUESTION, CHOICES = "{question}", "{choices}"


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Asking:
    """Writes requests, each once, and says what an answer must be.

    Attributes:
        wording: Everything of a request but its question and images.
        models: Names under which the model may answer.
        prompt_template: The text, with ``{question}`` and, if wanted, ``{choices}``.
        image_format: How frames are written, see :func:`data_uri`.
        compression: Effort of the same.
        image_tokens: What an image costs at most; ``None``: what is known of the model.
        max_images: Most frames of a clip; ``None``: any number.
    """

    wording: Wording
    models: Sequence[str]
    prompt_template: str = QUESTION
    image_format: ImageFormat = "png"
    compression: int = 1
    image_tokens: int | None = None
    max_images: int | None = None
    _bodies: "WeakKeyDictionary[Request, bytes]" = field(
        default_factory=WeakKeyDictionary, init=False, repr=False
    )

    @property
    def expected(self) -> Expected:
        """What an answer must be."""
        wording = self.wording
        return Expected(
            models=self.models, choices=wording.choices, choice_field=wording.family.choices
        )

    def about(self, choices: Sequence[str]) -> "Asking":
        """Return the same with other choices; none at all: any answer is one."""
        listed = list(choices) or None
        if listed == self.wording.choices:
            return self
        return replace(self, wording=replace(self.wording, choices=listed))

    def body(self, request: Request) -> bytes:
        """Return the body of the HTTP request; it is written once, and sent as it is.

        Raises:
            ValueError: If it has too many frames, or the template wants choices and there are none.
        """
        if request not in self._bodies:
            self._check_count(len(request.frames))
            text = self._text(request.prompt)
            images = [
                data_uri(frame, self.image_format, self.compression) for frame in request.frames
            ]
            self._bodies[request] = self.wording.body(text, images)
        return self._bodies[request]

    def worst_case(self, request: Request) -> Usage:
        """Bound the tokens: one per byte of the request without its images, and the images'."""
        count, _, height, width = request.frames.shape
        wording, each = self.wording, self.image_tokens
        if each is None:
            known = wording.family.detail  # OpenAI's own
            each = most_image_tokens(
                height, width, model=wording.model, detail=wording.detail, openai=known
            )
        bare = wording.body(self._text(request.prompt), [""] * count)
        return Usage(input_tokens=len(bare) + count * each, output_tokens=wording.max_new_tokens)

    def _check_count(self, count: int) -> None:
        if self.max_images is not None and count > self.max_images:
            msg = (
                f"`max_images` of {self.wording.model} is {self.max_images}; found a clip of "
                f"{count} frames: choose fewer in the data module"
            )
            raise ValueError(msg)

    def _text(self, question: str) -> str:
        choices = self.wording.choices
        if choices is None and CHOICES in self.prompt_template:
            msg = (
                "`choices` must be given, or offered by the task, as `prompt_template` has "
                f"{CHOICES!r}; found neither"
            )
            raise ValueError(msg)
        listed = self.prompt_template.replace(CHOICES, ", ".join(choices or ()))
        return listed.replace(QUESTION, question)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_bodies": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _bodies=WeakKeyDictionary())
