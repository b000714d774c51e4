"""From uint8 clips and questions to a model's inputs."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms.local.families import FramesAs, Media
from blackbox_anon.mllms.local.pixels import FramePixels
from blackbox_anon.mllms.local.templates import QUESTION, PromptTemplate

MAX_ENCODED_PROMPTS = 4096  # a question set such as OK-VQA's, without unbounded growth


@dataclass(kw_only=True)
class ModelInputs:
    """Inputs of one model.

    The processor itself expands a prompt's placeholder, once per prompt and shape of clip: all
    clips of a batch have one shape, so they also have one grid of patches.

    Attributes:
        template: From a question to a prompt.
        pixels: From clips to pixels.
        frames_as: What clips are given as.

    Raises:
        MLLMError: If the model does not read what ``frames_as`` or the template ask for.
    """

    template: PromptTemplate
    pixels: FramePixels
    frames_as: FramesAs = "auto"
    encoded: dict[tuple[str, torch.Size], dict[str, Tensor]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.model: Any = self.pixels.model
        self.processor: Any = self.pixels.processor
        possible, name = sorted(self.template.media()), type(self.model).__name__
        if not possible:
            msg = (
                "`path` must name a model that reads images or video, and `prompt_template`, if "
                f"given, have its placeholder; found {name}, {self.template.given!r}"
            )
            raise MLLMError(msg)
        if self.frames_as not in ("auto", *possible):
            msg = f"`frames_as` must be what {name} and `prompt_template` take, {possible}"
            raise MLLMError(f"{msg}; found {self.frames_as!r}")

    def __call__(self, frames: Tensor, prompts: Sequence[str]) -> dict[str, Tensor]:
        """Make the inputs of a batch, prompts padded on the left.

        Args:
            frames: uint8 ``(B, T, 3, H, W)``.
            prompts: ``B`` questions.

        Raises:
            ValueError: If a question has a placeholder for frames in it.
        """
        frames = frames.to(self.model.device)
        media = self.media(frames.shape[1])
        pixels = self.pixels(frames, media)
        rows = [self._encode(prompt, frames[0], media, pixels) for prompt in prompts]
        words = {name: self._stack(name, [row[name] for row in rows]) for name in rows[0]}
        return {name: self._place(value) for name, value in (words | pixels).items()}

    def media(self, count: int) -> Media:
        """What clips of ``count`` frames are given as."""
        if self.frames_as != "auto":
            return self.frames_as
        possible = self.template.media()
        if len(possible) == 1:
            return next(iter(possible))
        return self.template.family.stills if count == 1 else "video"

    def answer_start(self, count: int) -> str:
        """What stands between question and answer, for clips of ``count`` frames."""
        return self.template.text(self.media(count), count).rpartition(QUESTION)[2]

    def _encode(
        self, prompt: str, clip: Tensor, media: Media, pixels: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """All inputs with an entry per token."""
        key = (prompt, clip.shape)
        if key not in self.encoded:
            if len(self.encoded) >= MAX_ENCODED_PROMPTS:
                self.encoded.clear()
            made = self._process(self._fill(prompt, media, len(clip)), clip, media)
            shape = made["input_ids"].shape
            self._check_length(shape[1])
            made = {k: v for k, v in made.items() if isinstance(v, Tensor) and k not in pixels}
            self.encoded[key] = {k: v[0] for k, v in made.items() if v.shape == shape}
        return self.encoded[key]

    def _fill(self, prompt: str, media: Media, count: int) -> str:
        token = str(self.template.placeholder(media))
        if token in prompt:
            msg = f"`prompts` must not contain {token!r}, which stands for frames; found {prompt!r}"
            raise ValueError(msg)
        return self.template.text(media, count).replace(QUESTION, prompt)

    def _process(self, text: str, clip: Tensor, media: Media) -> Mapping[str, Any]:
        bos = self.processor.tokenizer.bos_token
        twice = (
            {"text_kwargs": {"add_special_tokens": False}} if bos and text.startswith(bos) else {}
        )
        made: Mapping[str, Any] = self.processor(
            text=[text], return_tensors="pt", **self.pixels.arguments(clip, media), **twice
        )
        return made

    def _check_length(self, tokens: int) -> None:
        most = getattr(self.model.config.get_text_config(), "max_position_embeddings", tokens)
        if tokens > most:
            msg = f"a prompt with its frames takes {tokens} tokens; the model was made for {most}"
            warnings.warn(msg, UserWarning, stacklevel=2)

    def _stack(self, name: str, rows: list[Tensor]) -> Tensor:
        """Rows of one length, padded on the left: generation continues from the right end."""
        if all(row is rows[0] for row in rows):
            return rows[0].expand(len(rows), -1).contiguous()
        pad = (self.processor.tokenizer.pad_token_id or 0) if name == "input_ids" else 0
        return pad_sequence(rows, batch_first=True, padding_value=pad, padding_side="left")

    def _place(self, value: Tensor) -> Tensor:
        return value.to(
            self.model.device, self.model.dtype if value.is_floating_point() else value.dtype
        )
