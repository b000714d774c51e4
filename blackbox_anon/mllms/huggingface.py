"""A local video-language model, used only through its answers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from typing_extensions import override

from blackbox_anon.errors import MLLMError, WeightsNotFoundError
from blackbox_anon.mllms.abstract import AbstractMLLM, Response
from blackbox_anon.weights import SHIPPED

_MAX_ENCODED_PROMPTS = 4096  # a question set such as OK-VQA's, without unbounded growth


class HuggingFaceMLLM(AbstractMLLM):
    """A model of the ``transformers`` library that reads video, with greedy decoding.

    Weights are loaded at the first query, so building, printing and pickling the object are cheap.
    Whatever the model's own generation settings ask for (sampling, penalties, beams), decoding is
    greedy: the same frames always get the same answer. Clips are neither sampled nor cut; choose
    the frames in the data module (Video-LLaVA was trained on 8).

    Args:
        path: Folder saved by ``save_pretrained`` (model and processor), a hub name, or
            ``"peopleworld"``, the tiny MLLM of the embedded world.
        dtype: Number format of the weights; ``"auto"`` keeps the saved one. ``"bfloat16"`` rounds
            away the small differences that finite differences are made of.
        device: A torch device, or ``"auto"``: the current CUDA device if there is one.
        batch_size: Most clips in one forward pass.
        max_new_tokens: Most tokens in an answer.
        prompt_template: The full prompt, with the processor's video placeholder and
            ``{question}``.
        num_logprobs: How many first answer tokens are reported in ``Response.top_logprobs``;
            0 reports none.
        local_files_only: Never ask the network for ``path``.

    Raises:
        ValueError: If a count is out of range or ``prompt_template`` has no ``{question}``.
    """

    def __init__(
        self,
        path: str,
        *,
        dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
        device: str = "auto",
        batch_size: int = 16,
        max_new_tokens: int = 16,
        prompt_template: str = "USER: <video>\n{question} ASSISTANT:",
        num_logprobs: int = 20,
        local_files_only: bool = False,
    ) -> None:
        super().__init__()
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("max_new_tokens", max_new_tokens, 1),
            ("num_logprobs", num_logprobs, 0),
        ):
            if value < least:
                msg = f"`{name}` must be at least {least}; found {value}"
                raise ValueError(msg)
        if "{question}" not in prompt_template:
            msg = f"`prompt_template` must contain '{{question}}'; found {prompt_template!r}"
            raise ValueError(msg)
        self.path = str(SHIPPED[path] / "mllm") if path in SHIPPED else path
        self.dtype = dtype
        self.device = device
        self.batch_size = batch_size
        self.max_new_tokens = max_new_tokens
        self.prompt_template = prompt_template
        self.num_logprobs = num_logprobs
        self.local_files_only = local_files_only
        self._loaded: _Loaded | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_loaded": None}  # a worker loads its own copy

    @override
    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:
        if self._loaded is None:
            self._loaded = self._load()
        texts = [self.prompt_template.replace("{question}", prompt) for prompt in prompts]
        responses: list[Response] = []
        for start in range(0, len(texts), self.batch_size):
            stop = start + self.batch_size
            responses += self._answer(self._loaded, frames[start:stop], texts[start:stop])
        return responses

    def _answer(self, loaded: "_Loaded", frames: Tensor, texts: list[str]) -> list[Response]:
        inputs = loaded.inputs(frames, texts)
        output = loaded.model.generate(**inputs)
        answers = loaded.tokenizer.batch_decode(
            output.sequences[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
        tops: Sequence[dict[str, float] | None] = [None] * len(answers)
        if self.num_logprobs > 0:
            tops = top_logprobs(output.logits[0], self.num_logprobs, loaded.token_text)
        return [
            Response(text=answer.strip(), top_logprobs=top)
            for answer, top in zip(answers, tops, strict=True)
        ]

    def _load(self) -> "_Loaded":
        from transformers import AutoModelForImageTextToText, AutoProcessor  # seconds to import

        try:
            processor = AutoProcessor.from_pretrained(
                self.path, local_files_only=self.local_files_only
            )
            model, info = AutoModelForImageTextToText.from_pretrained(
                self.path,
                dtype=self.dtype,
                local_files_only=self.local_files_only,
                output_loading_info=True,
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise self._not_found(str(error).strip().split("\n")[0]) from error
        if info["missing_keys"]:  # transformers would go on with random values
            raise self._not_found(f"lacks weights such as {min(info['missing_keys'])}")
        if getattr(processor, "video_processor", None) is None:
            msg = f"`path` must name a model that reads video; found {type(model).__name__}"
            raise MLLMError(msg)
        device = self.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        model = model.to(device).eval().requires_grad_(False)
        model.generation_config = self._greedy(model, processor)
        return _Loaded(model, processor)

    def _greedy(self, model: Any, processor: Any) -> Any:  # noqa: ANN401  (untyped library)
        from transformers import GenerationConfig

        stop = model.generation_config.eos_token_id
        stop = processor.tokenizer.eos_token_id if stop is None else stop
        return GenerationConfig(
            do_sample=False,
            num_beams=1,
            max_new_tokens=self.max_new_tokens,
            eos_token_id=stop,
            pad_token_id=stop[0] if isinstance(stop, list) else stop,  # skipped when decoding
            output_logits=self.num_logprobs > 0,
            return_dict_in_generate=True,
        )

    def _not_found(self, reason: str) -> WeightsNotFoundError:
        return WeightsNotFoundError(
            "`path` must be a folder with a saved model and processor, or a hub name that is "
            f"cached or can be downloaded; found {self.path!r} ({reason})"
        )


@dataclass
class _Loaded:
    """Model and processor, with what is worth computing once."""

    model: Any
    processor: Any
    _encoded: dict[tuple[str, torch.Size], dict[str, Tensor]] = field(default_factory=dict)
    _token_texts: dict[int, str] = field(default_factory=dict)

    @property
    def tokenizer(self) -> Any:  # noqa: ANN401  (untyped library)
        return self.processor.tokenizer

    def inputs(self, frames: Tensor, texts: list[str]) -> dict[str, Tensor]:
        """Model inputs for uint8 clips; the processor rescales and normalises once, batched."""
        frames = frames.to(self.model.device)
        pixels = dict(self._pixels(frames))
        rows = [self._encode(text, frames[:1], pixels) for text in texts]
        words = {name: self._stack(name, [row[name] for row in rows]) for name in rows[0]}
        return {name: self._place(value) for name, value in (words | pixels).items()}

    def token_text(self, token: int) -> str:
        """The text of one token, without surrounding space."""
        if token not in self._token_texts:
            self._token_texts[token] = self.tokenizer.decode([token]).strip()
        return self._token_texts[token]

    def _pixels(self, frames: Tensor) -> Any:  # noqa: ANN401  (untyped library)
        return self.processor.video_processor(frames, do_sample_frames=False, return_tensors="pt")

    def _encode(self, text: str, clip: Tensor, pixels: dict[str, Tensor]) -> dict[str, Tensor]:
        """Tokens of one prompt; the processor itself expands the placeholder, once per prompt."""
        key = (text, clip.shape)
        if key not in self._encoded:
            if len(self._encoded) >= _MAX_ENCODED_PROMPTS:
                self._encoded.clear()
            inputs = self.processor(
                text=[text], videos=clip, do_sample_frames=False, return_tensors="pt"
            )
            self._encoded[key] = {k: v[0] for k, v in inputs.items() if k not in pixels}
        return self._encoded[key]

    def _stack(self, name: str, rows: list[Tensor]) -> Tensor:
        """Rows of one length, padded on the left: generation continues from the right end."""
        if all(row is rows[0] for row in rows):
            return rows[0].expand(len(rows), -1).contiguous()
        pad = (self.tokenizer.pad_token_id or 0) if name == "input_ids" else 0
        return pad_sequence(rows, batch_first=True, padding_value=pad, padding_side="left")

    def _place(self, value: Tensor) -> Tensor:
        return value.to(
            self.model.device, self.model.dtype if value.is_floating_point() else value.dtype
        )


def top_logprobs(
    logits: Tensor, count: int, token_text: Callable[[int], str]
) -> list[dict[str, float]]:
    """Log-probabilities of the likeliest tokens by their text.

    Args:
        logits: Shape ``(B, V)``, over the vocabulary.
        count: Most tokens to report per row.
        token_text: Text of a token; where texts coincide, probabilities add up.

    Returns:
        ``B`` dictionaries, in nats, likeliest token first.

    Example:
        >>> logits = torch.tensor([[0.25, 0.25, 0.5]]).log()
        >>> [top] = top_logprobs(logits, 3, ["run", "run", "walk"].__getitem__)
        >>> {text: round(math.exp(logprob), 6) for text, logprob in top.items()}
        {'walk': 0.5, 'run': 0.5}
    """
    logprobs = logits.float().log_softmax(dim=-1)
    values, tokens = logprobs.topk(min(count, logprobs.shape[-1]))
    tops = []
    for row_values, row_tokens in zip(values.tolist(), tokens.tolist(), strict=True):
        top: dict[str, float] = {}
        for value, token in zip(row_values, row_tokens, strict=True):
            text = token_text(token)
            top[text] = _logaddexp(top[text], value) if text in top else value
        tops.append(top)
    return tops


def _logaddexp(larger: float, smaller: float) -> float:
    """Stable for ``larger >= smaller``; the sum stays finite for impossible tokens."""
    return larger if smaller == -math.inf else larger + math.log1p(math.exp(smaller - larger))
