"""What differs between families of models: their prompts and how they take frames."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Media = Literal["images", "video"]
FramesAs = Literal["auto", "images", "video"]


@dataclass(frozen=True, kw_only=True)
class Family:
    """How a family is asked.

    Attributes:
        prompt: The prompt it was trained with, used where its processor has no chat template;
            ``{frames}`` is where images or the video go. ``None``: there has to be a template.
        wrap: What surrounds the placeholder of one image or video, ``{}`` being the placeholder.
        stills: As what a single frame is given to a model that reads both images and video.
        image_options: Arguments for the image processor.
        video_options: Arguments for the video processor.
    """

    prompt: str | None = None
    wrap: str = "{}"
    stills: Media = "images"
    image_options: Mapping[str, Any] = field(default_factory=dict)
    video_options: Mapping[str, Any] = field(default_factory=dict)


_LLAVA = "USER: {frames}\n{question} ASSISTANT:"
_QWEN = Family(
    prompt=(
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\n{frames}{question}<|im_end|>\n<|im_start|>assistant\n"
    ),
    wrap="<|vision_start|>{}<|vision_end|>",
    # the authors' own code bounds a video's tokens; without a word the processor warns
    video_options={"cap_pixels_per_frame": True},
)

FAMILIES: Mapping[str, Family] = {
    "llava": Family(prompt=_LLAVA),
    "video_llava": Family(
        prompt=_LLAVA,
        stills="video",  # its video tower keeps a token that its image tower drops
        image_options={"return_legacy_image_output": False},  # names the pixels as others do
    ),
    "qwen2_vl": _QWEN,
    "qwen2_5_vl": _QWEN,
}
"""Families by the ``model_type`` of their configuration."""


def family_of(model_type: str) -> Family:
    """Return a family by its ``model_type``; an unknown one relies on its chat template.

    Example:
        >>> family_of("qwen2_5_vl").wrap
        '<|vision_start|>{}<|vision_end|>'
        >>> family_of("something_new").prompt is None
        True
    """
    return FAMILIES.get(model_type, Family())
