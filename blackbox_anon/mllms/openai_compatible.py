"""Any service that speaks OpenAI's chat completions: OpenAI, vLLM, SGLang, Ollama, gateways."""

import asyncio
import warnings
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal
from weakref import WeakKeyDictionary, finalize

from typing_extensions import override

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms.abstract import Request
from blackbox_anon.mllms.answers import Answer, Usage
from blackbox_anon.mllms.asynchronous import AbstractAsyncMLLM, event_loop
from blackbox_anon.services.address import base_url_of
from blackbox_anon.services.choices import check_choices
from blackbox_anon.services.families import FAMILIES, FamilyName, family_name
from blackbox_anon.services.image_tokens import Detail, most_image_tokens
from blackbox_anon.services.images import ImageFormat, data_uri
from blackbox_anon.services.judging import judged, teach
from blackbox_anon.services.limiter import AdaptiveLimiter
from blackbox_anon.services.replies import Expected
from blackbox_anon.services.secret import ApiKey
from blackbox_anon.services.transport import Transport
from blackbox_anon.services.wording import RESERVED, Wording


class OpenAICompatibleMLLM(AbstractAsyncMLLM):
    """A model behind an OpenAI-compatible service; frames leave this machine.

    Each request goes out once: put :class:`RetryingMLLM` around it, and :class:`BudgetedMLLM`
    where it costs money. How many are in flight, and how many are sent per second, is learnt from
    the replies. What an answer is, and what is none, see :class:`Failure`; a refused key, model or
    request raises, as it would be refused again.

    Args:
        model: Name of the model at the service.
        base_url: Address of the service, such as ``http://127.0.0.1:8000/v1``; ``None`` takes the
            environment's ``OPENAI_BASE_URL``, else OpenAI's.
        api_key_env: Name of the environment variable with the key, read at the first call;
            ``None`` for a server that wants none. The key itself is not accepted.
        family: Which fields the service understands; ``auto`` tells by address and model.
        max_new_tokens: Most tokens of an answer, hidden reasoning included; ``None``: 64, or 4096
            of a reasoning model.
        num_logprobs: How many first answer tokens are reported in ``Response.top_logprobs``;
            ``None``: 20 where the service reports any. A server may allow less.
        choices: What may be answered: the service is told in its own way, and any other answer is
            a ``wrong_class`` failure. ``None``: anything.
        prompt_template: The text that is sent, with ``{question}`` and, if wanted, ``{choices}``.
        text: Where the text stands among the images.
        image_format: ``png``, or lossless ``webp``, which is encoded faster, but not taken by all.
            ``jpeg`` erases the small differences that training is made of.
        compression: Effort of lossless encoding, from 0 (fast, large) to 9.
        detail: Resolution at which OpenAI looks at images, which decides the price.
        max_images: Most frames of a clip; ``None``: what the service is known to take.
        seed: Of sampling, where the service has one; ``None`` sends none.
        timeout_s: Most time from sending to the end of the reply, in seconds.
        start_concurrency: Requests in flight at first.
        max_concurrency: Most requests in flight.
        image_tokens: What an image costs at most, in tokens; ``None``: what is known of the model,
            see :func:`~blackbox_anon.services.most_image_tokens`.
        answers_as: Other names under which the model may answer, behind a gateway.
        extra_body: Further fields of the request, such as ``{"reasoning_effort": "none"}``.

    Raises:
        ModuleNotFoundError: If the client library is not installed.
        ValueError: If an argument is out of range, or ``api_key_env`` or ``base_url`` hold a key.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key_env: str | None = "OPENAI_API_KEY",
        family: FamilyName | Literal["auto"] = "auto",
        max_new_tokens: int | None = None,
        num_logprobs: int | None = None,
        choices: list[str] | None = None,
        prompt_template: str = "{question}",
        text: Literal["first", "last"] = "first",
        image_format: ImageFormat = "png",
        compression: int = 1,
        detail: Detail = "low",
        max_images: int | None = None,
        seed: int | None = 0,
        timeout_s: float = 60.0,
        start_concurrency: int = 20,
        max_concurrency: int = 100,
        image_tokens: int | None = None,
        answers_as: list[str] | None = None,
        extra_body: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if find_spec("openai") is None:
            msg = "OpenAICompatibleMLLM needs openai: pip install 'blackbox-anon[api]'"
            raise ModuleNotFoundError(msg)
        self._key = None if api_key_env is None else ApiKey(api_key_env)
        self.base_url = base_url_of(base_url)
        self.family = family_name(family, self.base_url, model)
        known = FAMILIES[self.family]
        tokens = known.max_new_tokens if max_new_tokens is None else max_new_tokens
        tops = known.logprobs if num_logprobs is None else num_logprobs
        _check_range("max_new_tokens", tokens, 1)
        _check_range("num_logprobs", tops, 0, known.logprobs)
        _check_range("compression", compression, 0, 9)
        _check_range("max_images", max_images, 1)
        _check_range("image_tokens", image_tokens, 0)
        if not timeout_s > 0:
            raise ValueError(f"`timeout_s` must be positive; found {timeout_s}")
        if "{question}" not in prompt_template:
            msg = f"`prompt_template` must contain '{{question}}'; found {prompt_template!r}"
            raise ValueError(msg)
        if choices is not None:
            check_choices(choices)
        if ours := [name for name in RESERVED if name in (extra_body or {})]:
            raise ValueError(f"`extra_body` must not hold {', '.join(RESERVED)}; found {ours}")
        if image_format == "jpeg":
            warnings.warn("jpeg erases the small differences that training needs", stacklevel=2)
        AdaptiveLimiter(start=start_concurrency, maximum=max_concurrency)  # its checks
        self.model, self.prompt_template = model, prompt_template
        self.image_format: ImageFormat = image_format
        self.compression, self.timeout_s = compression, timeout_s
        self.max_images = known.max_images if max_images is None else max_images
        self.start_concurrency, self.max_concurrency = start_concurrency, max_concurrency
        self.image_tokens = image_tokens
        self._wording = Wording(
            model=model,
            family=known,
            max_new_tokens=tokens,
            num_logprobs=tops,
            choices=choices,
            seed=seed,
            detail=detail,
            text=text,
            extra=extra_body or {},
        )
        self._expected = Expected(
            models=[model, *(answers_as or [])], choices=choices, choice_field=known.choices
        )
        self._line: _Line | None = None
        self._bodies: WeakKeyDictionary[Request, bytes] = WeakKeyDictionary()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_line": None, "_bodies": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _bodies=WeakKeyDictionary())

    @property
    @override
    def sends_images(self) -> bool:
        return True

    @property
    @override
    def identity(self) -> Mapping[str, object]:
        return {
            **super().identity,
            "model": self.model,
            "base_url": self.base_url,
            "family": self.family,
            "choices": self._expected.choices,
        }

    @override
    def payload(self, request: Request) -> bytes:
        """Return the body of the HTTP request; it is written once, and sent as it is."""
        if request not in self._bodies:
            self._check_count(len(request.frames))
            images = [
                data_uri(frame, self.image_format, self.compression) for frame in request.frames
            ]
            self._bodies[request] = self._wording.body(self._text(request.prompt), images)
        return self._bodies[request]

    @override
    def worst_case(self, request: Request) -> Usage:
        """Bound the tokens: one per byte of the request without its images, and the images'."""
        count, _, height, width = request.frames.shape
        each = self.image_tokens
        if each is None:
            each = most_image_tokens(
                height,
                width,
                model=self.model,
                detail=self._wording.detail,
                openai=FAMILIES[self.family].detail,
            )
        bare = self._wording.body(self._text(request.prompt), [""] * count)
        return Usage(
            input_tokens=len(bare) + count * each, output_tokens=self._wording.max_new_tokens
        )

    @override
    def figures(self) -> dict[str, float]:
        return {} if self._line is None else self._line.limiter.figures()

    @override
    async def answer(self, request: Request) -> Answer:
        body = await asyncio.to_thread(self.payload, request)  # images take milliseconds each
        line = self._open_line()
        async with line.limiter.turn() as ticket:
            reply = await line.transport.post(body)
            outcome = judged(reply, self._expected, self._key)
            teach(line.limiter, ticket, reply, outcome)
        if isinstance(outcome, MLLMError):
            raise MLLMError(f"{self.model} at {self.base_url}: {outcome}", billed=outcome.billed)
        return outcome

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        line, self._line = self._line, None
        if line is not None and line.loop is event_loop():
            _hang_up(line).result()

    def _text(self, question: str) -> str:
        choices = ", ".join(self._expected.choices or ())
        return self.prompt_template.replace("{choices}", choices).replace("{question}", question)

    def _check_count(self, count: int) -> None:
        if self.max_images is not None and count > self.max_images:
            msg = (
                f"`max_images` of {self.model} is {self.max_images}; found a clip of {count} "
                "frames: choose fewer in the data module"
            )
            raise ValueError(msg)

    def _open_line(self) -> "_Line":
        loop = asyncio.get_running_loop()
        if self._line is None or self._line.loop is not loop:
            self._line = _Line(
                loop=loop,
                transport=Transport(self.base_url, self._key, timeout_s=self.timeout_s),
                limiter=AdaptiveLimiter(start=self.start_concurrency, maximum=self.max_concurrency),
            )
            if loop is event_loop():  # others may be closed by then
                finalize(self, _hang_up, self._line).atexit = False
        return self._line


@dataclass(frozen=True, kw_only=True)
class _Line:
    """What belongs to one event loop."""

    loop: asyncio.AbstractEventLoop
    transport: Transport
    limiter: AdaptiveLimiter


def _hang_up(line: _Line) -> "Future[None]":
    return asyncio.run_coroutine_threadsafe(line.transport.close(), line.loop)


def _check_range(name: str, value: int | None, least: int, most: int | None = None) -> None:
    if value is None or (value >= least and (most is None or value <= most)):
        return
    expected = f"at least {least}" if most is None else f"from {least} to {most}"
    raise ValueError(f"`{name}` must be {expected}; found {value}")
