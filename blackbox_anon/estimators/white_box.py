"""The limit of every estimator: the gradient itself, of a model that lies on this machine."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from blackbox_anon.errors import MLLMError
from blackbox_anon.estimators.abstract import AbstractEstimator, Estimate
from blackbox_anon.estimators.problem import Asked, BlackBoxProblem
from blackbox_anon.mllms import AbstractMLLM, HuggingFaceMLLM, to_uint8
from blackbox_anon.mllms.local.families import family_of
from blackbox_anon.mllms.local.inputs import ModelInputs
from blackbox_anon.mllms.local.loading import load
from blackbox_anon.mllms.local.pixels import FramePixels
from blackbox_anon.mllms.local.templates import PromptTemplate

_WHO = ("class", "weights", "prompt_template", "frames_as")  # of an identity: what must agree


class WhiteBox(AbstractEstimator):
    """Backpropagates through a local model: what a black box withholds, as a measure for others.

    The model is loaded a second time, from the same path; the task's black box is never looked
    into. The loss is the cross-entropy of the class texts' first tokens, which is what
    :class:`~blackbox_anon.scorers.LogprobScorer` makes of reported log-probabilities, without its
    floor, its cut at the ``num_logprobs`` likeliest tokens, and the rounding to 8 bits. A step
    counts as one query per sample.

    Args:
        mllm: The same local model that the task asks.

    Logs:
        ``gradient_norm``.

    Raises:
        MLLMError: If ``mllm`` is a service, whose gradient nobody has.
    """

    step: Tensor

    def __init__(self, mllm: AbstractMLLM) -> None:
        super().__init__()
        if not isinstance(mllm, HuggingFaceMLLM):
            msg = (
                "`mllm` must be a HuggingFaceMLLM: white-box descent needs the model's weights on "
                f"this machine; found {type(mllm).__name__}, which offers no gradient"
            )
            raise MLLMError(msg)
        self.mllm = mllm
        self.model = DifferentiableMLLM(mllm)
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    @property
    @override
    def queries_per_sample(self) -> int:
        return 1

    @override
    def reset(self) -> None:
        self.step.zero_()

    @override
    def forward(self, theta: Tensor, problem: BlackBoxProblem) -> Estimate:
        asked = self._asked(problem)
        with torch.enable_grad():
            parameters = theta.detach().clone().requires_grad_()
            loss = self.model.losses(problem.anonymize(parameters), asked).mean()
            (gradient,) = torch.autograd.grad(loss, parameters)
        gradient, loss = problem.mean_over_ranks(gradient), problem.mean_over_ranks(loss.detach())
        self.step += 1
        return Estimate(
            gradient=gradient,
            loss=loss,
            queries=len(asked.prompts),
            logs={"gradient_norm": torch.linalg.vector_norm(gradient)},
        )

    def _asked(self, problem: BlackBoxProblem) -> Asked:
        if problem.asked is None:
            msg = "`problem.asked` must say what is asked, as ActionRecognition does; found None"
            raise ValueError(msg)
        if not problem.asked.first_tokens:
            msg = (
                "`problem.asked.first_tokens` must be True, as with LogprobScorer: the loss of "
                "another scorer is not what is differentiated; found False"
            )
            raise ValueError(msg)
        theirs, ours = problem.asked.identity, self.mllm.identity
        if any(theirs[key] != ours.get(key) for key in _WHO if key in theirs):
            msg = f"`mllm` must be the model that the task asks, {dict(theirs)}; found {dict(ours)}"
            raise MLLMError(msg)
        return problem.asked


class DifferentiableMLLM:
    """A copy of a local model whose first-token log-probabilities can be differentiated.

    No ``nn.Module``, so that its weights enter no checkpoint. They are read at the first use and
    in float32: rounding that answers survive spoils a gradient.

    Args:
        mllm: Says where the model lies and how it is prompted.
    """

    def __init__(self, mllm: HuggingFaceMLLM) -> None:
        self.mllm = copy.copy(mllm)
        self._inputs: ModelInputs | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_inputs": None}  # a worker loads its own copy

    def losses(self, frames: Tensor, asked: Asked) -> Tensor:
        """Cross-entropy of the class texts' first tokens.

        Args:
            frames: ``(B, ..., 3, H, W)``, in ``[0, 1]``, with a graph.
            asked: Prompts, classes and labels.

        Returns:
            Losses, shape ``(B,)``, in nats, differentiable in ``frames``.

        Raises:
            MLLMError: If two class texts start with the same token, or the model is given images.
        """
        self._inputs = inputs = self._inputs or self._load(frames.device)
        clips = frames if frames.ndim == 5 else frames.unsqueeze(1)
        if inputs.media(clips.shape[1]) != "video":
            msg = "`mllm` must be given clips as a video: only then its processor is differentiable"
            raise MLLMError(msg)
        words = inputs(to_uint8(clips.detach()), asked.prompts)
        pixels = inputs.processor.video_processor(
            clips,
            do_sample_frames=False,
            do_rescale=False,  # they are in [0, 1]
            return_tensors="pt",
        )
        logits = inputs.model(**(words | dict(pixels))).logits[:, -1]
        tokens = _first_tokens(inputs.processor.tokenizer, asked.classes)
        scores = logits.float().log_softmax(-1)[:, tokens]
        labels = asked.labels.to(scores.device)
        return functional.cross_entropy(asked.logit_scale * scores, labels, reduction="none")

    def _load(self, device: torch.device) -> ModelInputs:
        mllm = self.mllm
        model, processor = load(
            mllm.path,
            dtype="float32",
            device=str(device),
            device_map=None,
            attn_implementation=mllm.attn_implementation,
            local_files_only=mllm.local_files_only,
        )
        family = family_of(model.config.model_type)
        return ModelInputs(
            template=PromptTemplate(processor=processor, family=family, given=mllm.prompt_template),
            pixels=FramePixels(model=model, processor=processor, family=family),
            frames_as=mllm.frames_as,
        )


def _first_tokens(tokenizer: Any, classes: Sequence[str]) -> list[int]:  # noqa: ANN401  # untyped
    first = [tokenizer(text, add_special_tokens=False)["input_ids"][0] for text in classes]
    if len(set(first)) < len(first):
        msg = f"`classes` must start with different tokens; found {sorted(classes)}"
        raise MLLMError(msg)
    return first
