"""Any service that speaks OpenAI's chat completions: OpenAI, vLLM, SGLang, Ollama, gateways."""

import asyncio
import logging
import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Literal

from typing_extensions import override

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms.abstract import Request
from blackbox_anon.mllms.answers import Answer, Usage
from blackbox_anon.mllms.asynchronous import AbstractAsyncMLLM
from blackbox_anon.services.address import base_url_of
from blackbox_anon.services.asking import Asking
from blackbox_anon.services.choices import check_choices, conflict, offered_choices
from blackbox_anon.services.families import FAMILIES, FamilyName, family_name
from blackbox_anon.services.image_tokens import Detail
from blackbox_anon.services.images import ImageFormat
from blackbox_anon.services.judging import judged, teach
from blackbox_anon.services.lines import Lines
from blackbox_anon.services.secret import ApiKey
from blackbox_anon.services.settings import check_range, check_settings
from blackbox_anon.services.wording import Wording

_log = logging.getLogger(__name__)


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
        max_new_tokens: Most tokens of an answer, hidden reasoning and the JSON around a choice
            included; ``None``: 64, or 4096 of a reasoning model.
        num_logprobs: How many first answer tokens are reported in ``Response.top_logprobs``;
            ``None``: 20 where the service reports any. A server may allow less.
        choices: What may be answered: the service is told in its own way, and any other answer is
            a ``wrong_class`` failure. ``None`` takes what the task offers: its classes, or anything
            where it asks questions; an empty list: anything, whatever the task offers. Texts given
            here are kept; where they differ from the task's classes, a warning is logged.
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
        check_range("max_new_tokens", tokens, 1)
        check_range("num_logprobs", tops, 0, known.logprobs)
        check_range("compression", compression, 0, 9)
        check_range("max_images", max_images, 1)
        check_range("image_tokens", image_tokens, 0)
        check_settings(timeout_s=timeout_s, prompt_template=prompt_template, extra_body=extra_body)
        if choices:
            check_choices(choices)
        if image_format == "jpeg":
            warnings.warn("jpeg erases the small differences that training needs", stacklevel=2)
        self.model, self._given_choices = model, choices
        self._asking = Asking(
            wording=Wording(
                model=model,
                family=known,
                max_new_tokens=tokens,
                num_logprobs=tops,
                choices=choices or None,
                seed=seed,
                detail=detail,
                text=text,
                extra=extra_body or {},
            ),
            models=[model, *(answers_as or [])],
            prompt_template=prompt_template,
            image_format=image_format,
            compression=compression,
            image_tokens=image_tokens,
            max_images=known.max_images if max_images is None else max_images,
        )
        self._lines = Lines(
            self.base_url,
            self._key,
            timeout_s=timeout_s,
            start=start_concurrency,
            maximum=max_concurrency,
        )

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
            "choices": self._asking.wording.choices,
        }

    @override
    def offer(self, choices: Sequence[str]) -> None:
        if self._given_choices is None:
            self._asking = self._asking.about(offered_choices(choices))
        elif found := conflict(self._given_choices, choices):
            _log.warning("`choices` of %s are kept: %s", self.model, found)

    @override
    def payload(self, request: Request) -> bytes:
        """Return the body of the HTTP request; it is written once, and sent as it is."""
        return self._asking.body(request)

    @override
    def worst_case(self, request: Request) -> Usage:
        """Bound the tokens: one per byte of the request without its images, and the images'."""
        return self._asking.worst_case(request)

    @override
    def figures(self) -> dict[str, float]:
        return self._lines.figures()

    @override
    async def answer(self, request: Request) -> Answer:
        asking, line = self._asking, self._lines.line()  # later offers concern later requests
        async with line.ahead:
            body = await asyncio.to_thread(asking.body, request)  # images take milliseconds
            ticket = await line.limiter.acquire()
        async with line.limiter.sent(ticket):
            reply = await line.transport.post(body)
            outcome = judged(reply, asking.expected, self._key)
            teach(line.limiter, ticket, reply, outcome)
        if isinstance(outcome, MLLMError):
            raise MLLMError(f"{self.model} at {self.base_url}: {outcome}", billed=outcome.billed)
        return outcome

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        self._lines.close()
