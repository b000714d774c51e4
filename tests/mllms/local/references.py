"""The independent way: whole processor, one clip at a time, PIL images, no cache, no generate."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor

from blackbox_anon.mllms import HuggingFaceMLLM
from tests.mllms_fakes import responses


def ask(
    mllm: HuggingFaceMLLM, frames: Tensor, questions: Sequence[str]
) -> list[tuple[str, dict[str, float]]]:
    """Texts and log-probabilities."""
    answers = []
    for answer in responses(mllm.query(frames, questions)):
        assert answer.top_logprobs is not None
        answers.append((answer.text, dict(answer.top_logprobs)))
    return answers


CASES = [
    ("video_llava", "video", "USER: <video>\n{question} ASSISTANT:"),
    ("video_llava", "images", "USER: {images}\n{question} ASSISTANT:"),
    ("llava", "images", "USER: {images}\n{question} ASSISTANT:"),
    (
        "qwen2_5_vl",
        "video",
        "USER: <|vision_start|><|video_pad|><|vision_end|>{question} ASSISTANT:\n",
    ),
    ("qwen2_5_vl", "images", "USER: {images}{question} ASSISTANT:\n"),
]
"""Families, what clips are given as, prompts."""
CASE_IDS = [f"{family}-{media}" for family, media, _ in CASES]


class Reference:
    """A model of its own, asked step by step."""

    def __init__(self, folder: Path, media: str, prompt: str) -> None:
        self.processor = AutoProcessor.from_pretrained(folder)
        self.model = AutoModelForImageTextToText.from_pretrained(folder).eval()
        self.media, self.prompt = media, prompt
        if getattr(self.processor, "patch_size", 0) is None:  # the patch counts of a 28-pixel CLIP
            self.processor.patch_size = 14

    def inputs(self, clip: Tensor, question: str) -> dict[str, Any]:
        """Inputs for one clip ``(T, 3, H, W)``, uint8."""
        frames = clip.permute(0, 2, 3, 1).numpy()
        text = self.prompt.replace("{question}", question)
        if self.media == "video":
            made = dict(self.processor(text=text, videos=[frames], return_tensors="pt"))
            if "second_per_grid_ts" in made:
                made["second_per_grid_ts"] = [1.0]  # two frames a second, not the processor's 24
            return made
        qwen = "<|vision_start|><|image_pad|><|vision_end|>" * len(frames)
        llava = "\n".join(["<image>"] * len(frames))
        has_image = "<|image_pad|>" in self.processor.tokenizer.all_special_tokens
        text = text.replace("{images}", qwen if has_image else llava)
        images = [Image.fromarray(frame) for frame in frames]
        made = dict(self.processor(text=text, images=images, return_tensors="pt"))
        if "pixel_values_images" in made:
            made["pixel_values"] = made.pop("pixel_values_images")
        return made

    @torch.no_grad()
    def logprobs(self, inputs: dict[str, Any], answer: Sequence[int]) -> Tensor:
        """Log-probabilities after the prompt and each token of an answer, ``(len + 1, V)``."""
        added = torch.tensor([list(answer)], dtype=torch.long)
        longer = {**inputs, "input_ids": torch.cat([inputs["input_ids"], added], dim=1)}
        for name, value in (("attention_mask", 1), ("mm_token_type_ids", 0)):
            if name in inputs:
                more = torch.full_like(added, value)
                longer[name] = torch.cat([inputs[name], more], dim=1)
        logits = self.model(**longer).logits[0]
        return logits[-len(answer) - 1 :].log_softmax(dim=-1)  # type: ignore[no-any-return]  # untyped library

    def greedy(self, inputs: dict[str, Any], steps: int) -> tuple[list[int], Tensor]:
        """Tokens of the greedy answer, and the first's log-probabilities."""
        answer: list[int] = []
        for _ in range(steps):
            answer.append(int(self.logprobs(inputs, answer)[-1].argmax()))
            if answer[-1] == self.processor.tokenizer.eos_token_id:
                break
        return answer, self.logprobs(inputs, [])[0]
