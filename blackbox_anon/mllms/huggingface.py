"""A local vision-language model, used only through its answers."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor
from typing_extensions import override

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms.abstract import AbstractMLLM
from blackbox_anon.mllms.answers import Response
from blackbox_anon.mllms.local.batches import FittingBatches
from blackbox_anon.mllms.local.families import FramesAs, family_of
from blackbox_anon.mllms.local.fingerprint import fingerprint
from blackbox_anon.mllms.local.first_token import top_logprobs
from blackbox_anon.mllms.local.inputs import ModelInputs
from blackbox_anon.mllms.local.likelihood import Likelihood, choice_likelihoods
from blackbox_anon.mllms.local.loading import DType, greedy, load
from blackbox_anon.mllms.local.pixels import FramePixels
from blackbox_anon.mllms.local.ready import ReadyModel
from blackbox_anon.mllms.local.templates import QUESTION, PromptTemplate
from blackbox_anon.threads import SideBySide
from blackbox_anon.weights import SHIPPED


class HuggingFaceMLLM(AbstractMLLM):
    """A model of the ``transformers`` library that reads images or video, with greedy decoding.

    Any model of ``AutoModelForImageTextToText`` is served; the prompts of LLaVA-1.5, Video-LLaVA,
    Qwen2-VL and Qwen2.5-VL are known, others bring a chat template or are given
    ``prompt_template``. Weights are loaded at the first query, so building, printing and pickling
    the object are cheap. Whatever the model's own generation settings ask for (sampling, penalties,
    beams), decoding is greedy: the same frames always get the same answer. Clips are neither
    sampled nor cut; choose the frames in the data module: Video-LLaVA was trained on 8, LLaVA-1.5's
    4096 tokens hold about 7, and Qwen takes those of a video to be half a second apart.

    All clips of a query go in one forward pass where ``batch_size`` and memory allow, and with
    them both halves of a pair. Out of CUDA memory, batches are halved from then on.

    **Grey box.** With ``grey_box``, ``Response.top_logprobs`` holds the log-probability of every
    choice as the whole answer instead of those of first tokens, for
    :class:`~blackbox_anon.scorers.LikelihoodScorer`. It reads the model's logits: that is no
    longer the paper's black box, which gives text only, and results say so. The frames and the
    question are computed once for the answer and all choices.

    Args:
        path: Folder saved by ``save_pretrained`` (model and processor), a hub name, or
            ``"peopleworld"``, the tiny MLLM of the embedded world.
        dtype: Number format of the weights; ``"auto"`` keeps the saved one. ``"bfloat16"`` rounds
            away the small differences that finite differences are made of.
        device: A torch device, or ``"auto"``: the current CUDA device if there is one.
        device_map: How to spread a large model over devices, such as ``"auto"``, instead of
            ``device``; needs the package accelerate.
        batch_size: Most clips in one forward pass.
        cpu_workers: On a CPU, how many threads answer shares of a query side by side, one core
            each; 0 answers in the caller's thread, whose cores share every operator. A small model
            answers sooner with them, and a task trains its reviewer meanwhile. On other devices
            this is ignored.
        attn_implementation: Such as ``"sdpa"`` or ``"flash_attention_2"``; ``None`` is the
            library's choice.
        max_new_tokens: Most tokens in an answer.
        prompt_template: The full prompt, with ``{question}`` and, once, the processor's
            placeholder of an image or a video; ``None`` takes the processor's chat template or,
            where it has none, the family's prompt. For several images it is repeated.
        frames_as: What clips are given as: ``"images"``, one per frame, or a ``"video"``.
            ``"auto"`` follows ``prompt_template``'s placeholder or, without it, gives a video to
            a model that reads video, except for a single frame (Video-LLaVA: that too).
        min_pixels: Least area that frames are scaled to, for models of any image size (Qwen);
            ``None`` is the processor's, which enlarges small video frames.
        max_pixels: Largest such area; ``None`` is the processor's.
        num_logprobs: How many first answer tokens are reported in ``Response.top_logprobs``;
            0 reports none.
        grey_box: Report the choices' log-probabilities.
        choices: What the grey box scores; ``None`` takes what is offered, by a task its classes.
        likelihood: ``"sum"`` of a choice's token log-probabilities, its end included, or their
            ``"mean"``.
        local_files_only: Never ask the network for ``path``.

    Raises:
        ValueError: If a count is out of range, ``prompt_template`` has no ``{question}``, or two
            arguments exclude each other.
    """

    def __init__(
        self,
        path: str,
        *,
        dtype: DType = "auto",
        device: str = "auto",
        device_map: str | None = None,
        batch_size: int = 16,
        cpu_workers: int = 0,
        attn_implementation: str | None = None,
        max_new_tokens: int = 16,
        prompt_template: str | None = None,
        frames_as: FramesAs = "auto",
        min_pixels: int | None = None,
        max_pixels: int | None = None,
        num_logprobs: int = 20,
        grey_box: bool = False,
        choices: list[str] | None = None,
        likelihood: Likelihood = "sum",
        local_files_only: bool = False,
    ) -> None:
        super().__init__()
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("cpu_workers", cpu_workers, 0),
            ("max_new_tokens", max_new_tokens, 1),
            ("num_logprobs", num_logprobs, 0),
            ("min_pixels", min_pixels, 1),
            ("max_pixels", max_pixels, 1),
        ):
            if value is not None and value < least:
                msg = f"`{name}` must be at least {least}; found {value}"
                raise ValueError(msg)
        if prompt_template is not None and QUESTION not in prompt_template:
            msg = f"`prompt_template` must contain '{QUESTION}'; found {prompt_template!r}"
            raise ValueError(msg)
        if device_map is not None and device != "auto":
            msg = f"`device` must be 'auto' where `device_map` is given; found {device!r}"
            raise ValueError(msg)
        if grey_box and "flash" in (attn_implementation or ""):
            msg = "`attn_implementation` must be 'sdpa' or 'eager' with `grey_box`; found "
            raise ValueError(msg + repr(attn_implementation))
        self.name = path
        self.path = str(SHIPPED[path] / "mllm") if path in SHIPPED else path
        self.dtype = dtype
        self.device = device
        self.device_map = device_map
        self.batch_size = batch_size
        self.cpu_workers = cpu_workers
        self.attn_implementation = attn_implementation
        self.max_new_tokens = max_new_tokens
        self.prompt_template = prompt_template
        self.frames_as = frames_as
        self.min_pixels, self.max_pixels = min_pixels, max_pixels
        self.num_logprobs = num_logprobs
        self.grey_box = grey_box
        self.choices = None if choices is None else _checked(choices)
        self._choices_given = choices is not None
        self.likelihood = likelihood
        self.local_files_only = local_files_only
        self._batches = FittingBatches(batch_size)
        self._side_by_side = SideBySide(cpu_workers)
        self._fingerprint: str | None = None
        self._loaded: ReadyModel | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_loaded": None}  # a worker loads its own copy

    @property
    @override
    def answers_beside(self) -> bool:
        return self.cpu_workers > 0

    @property
    @override
    def identity(self) -> Mapping[str, object]:
        if self._fingerprint is None:
            self._fingerprint = fingerprint(self.path)
        scored = {"choices": self.choices, "likelihood": self.likelihood} if self.grey_box else {}
        return {
            "class": type(self).__qualname__,
            "path": self.name,
            "weights": self._fingerprint,
            "dtype": self.dtype,
            "prompt_template": self.prompt_template,
            "frames_as": self.frames_as,
            "pixels": [self.min_pixels, self.max_pixels],
            "max_new_tokens": self.max_new_tokens,
            "num_logprobs": self.num_logprobs,
            "grey_box": self.grey_box,
            **scored,
        }

    @override
    def offer(self, choices: Sequence[str]) -> None:
        if not self._choices_given:
            self.choices = _checked(choices)

    @override
    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:
        return self._respond_meanwhile(frames, prompts, None)

    @override
    def _respond_meanwhile(
        self, frames: Tensor, prompts: Sequence[str], meanwhile: Callable[[], None] | None
    ) -> list[Response]:
        if self.grey_box and self.choices is None:
            msg = "`choices` must be given or offered by the task with `grey_box`; found neither"
            raise MLLMError(msg)
        if self._loaded is None:
            self._loaded = self._load()
        loaded = self._loaded
        if self.cpu_workers == 0 or loaded.model.device.type != "cpu":
            return self._answer_all(loaded, frames, prompts)
        jobs = [
            partial(self._answer_all, loaded, frames[share], prompts[share])
            for share in self._side_by_side.shares(len(prompts))
        ]
        return [one for part in self._side_by_side.run(jobs, meanwhile) for one in part]

    def _answer_all(
        self, loaded: ReadyModel, frames: Tensor, prompts: Sequence[str]
    ) -> list[Response]:
        return self._batches.run(
            len(prompts), lambda rows: self._answer(loaded, frames[rows], prompts[rows])
        )

    def _answer(self, loaded: ReadyModel, frames: Tensor, prompts: Sequence[str]) -> list[Response]:
        with loaded.tokenizing:
            inputs = loaded.inputs(frames, prompts)
        output = loaded.model.generate(**inputs)
        with loaded.tokenizing:
            answers = loaded.tokenizer.batch_decode(
                output.sequences[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True
            )
        tops: Sequence[dict[str, float] | None] = [None] * len(answers)
        if self.grey_box and self.choices:
            mask, start = inputs["attention_mask"], loaded.inputs.answer_start(frames.shape[1])
            tops = self._likelihoods(loaded, output, mask, start)
        elif self.num_logprobs > 0:
            tops = top_logprobs(output.logits[0], self.num_logprobs, loaded.token_text)
        return [
            Response(text=answer.strip(), top_logprobs=top)
            for answer, top in zip(answers, tops, strict=True)
        ]

    def _likelihoods(
        self,
        loaded: ReadyModel,
        output: Any,  # noqa: ANN401  (untyped library)
        mask: Tensor,
        answer_start: str,
    ) -> list[dict[str, float] | None]:
        choices = self.choices or []
        found = choice_likelihoods(
            loaded.model,
            output,
            mask,
            loaded.names(answer_start, choices),
            end=loaded.end,
            reduction=self.likelihood,
        )
        return [dict(zip(choices, row, strict=True)) for row in found.tolist()]

    def _load(self) -> ReadyModel:
        model, processor = load(
            self.path,
            dtype=self.dtype,
            device=self.device,
            device_map=self.device_map,
            attn_implementation=self.attn_implementation,
            local_files_only=self.local_files_only,
        )
        family = family_of(model.config.model_type)
        inputs = ModelInputs(
            template=PromptTemplate(processor=processor, family=family, given=self.prompt_template),
            pixels=FramePixels(
                model=model,
                processor=processor,
                family=family,
                min_pixels=self.min_pixels,
                max_pixels=self.max_pixels,
            ),
            frames_as=self.frames_as,
        )
        logits = self.num_logprobs > 0 or self.grey_box
        model.generation_config = greedy(
            model, processor, max_new_tokens=self.max_new_tokens, logits=logits
        )
        return ReadyModel(model, inputs)


def _checked(choices: Sequence[str]) -> list[str]:
    empty = [choice for choice in choices if not choice.strip()]
    if empty:
        raise ValueError(f"`choices` must be texts; found {empty[0]!r}")
    return list(choices)
