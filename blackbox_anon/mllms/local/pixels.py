"""From uint8 clips to what a vision tower takes: rescaled and normalised once, by the processor."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms.local.families import Family, Media


@dataclass(kw_only=True)
class FramePixels:
    """The processor's part for images and video.

    Attributes:
        model: The model; says which inputs it takes.
        processor: Its processor.
        family: Its family.
        min_pixels: Least area that an image is scaled to; ``None`` is the processor's.
        max_pixels: Largest area that an image is scaled to; ``None`` is the processor's.
    """

    model: Any
    processor: Any
    family: Family
    min_pixels: int | None = None
    max_pixels: int | None = None

    def __call__(self, frames: Tensor, media: Media) -> dict[str, Tensor]:
        """Return the pixel inputs of clips ``(B, T, 3, H, W)``, uint8, all at once."""
        make = self._part(media)
        given = self._images(frames) if media == "images" else frames
        made = make(given, return_tensors="pt", **self._options[media])
        return {self._name(name): value for name, value in made.items()}

    def arguments(self, clip: Tensor, media: Media) -> dict[str, Any]:
        """Return what the whole processor is called with for one clip ``(T, 3, H, W)``."""
        given = [self._images(clip[None])] if media == "images" else clip[None]
        name = "images" if media == "images" else "videos"
        return {name: given, f"{name}_kwargs": self._options[media]}

    def _part(self, media: Media) -> Any:  # noqa: ANN401  (untyped library)
        return getattr(self.processor, _PARTS[media])

    @cached_property
    def _options(self) -> dict[Media, dict[str, Any]]:
        """Arguments of the image and the video processor."""
        video = {"do_sample_frames": False, **self.family.video_options, **self._size("video")}
        return {"images": {**self.family.image_options, **self._size("images")}, "video": video}

    def _size(self, media: Media) -> dict[str, Any]:
        """The area as the library names it: by edges, though it means pixels.

        Raises:
            MLLMError: If the area is limited of a model that knows one size only.
        """
        limits = {"shortest_edge": self.min_pixels, "longest_edge": self.max_pixels}
        given = {name: value for name, value in limits.items() if value is not None}
        part = getattr(self.processor, _PARTS[media], None)
        if not given or part is None:
            return {}
        size = {name: value for name, value in dict(part.size).items() if value is not None}
        if not limits.keys() <= size.keys():
            msg = "`min_pixels` and `max_pixels` are for models of any image size; found "
            raise MLLMError(msg + type(self.model).__name__)
        return {"size": {name: given.get(name, size[name]) for name in limits}}

    def _images(self, frames: Tensor) -> list[Any]:
        """All frames of all clips, as tensors where they are or as the arrays that PIL needs."""
        images = frames.flatten(0, 1)
        if getattr(self._part("images"), "backend", "") == "torchvision":
            return list(images)
        return list(images.permute(0, 2, 3, 1).cpu().numpy())

    def _name(self, name: str) -> str:
        """Video-LLaVA's images had a name of their own, which its model is about to forget."""
        legacy = name == "pixel_values_images" and "pixel_values" in self._accepted
        return "pixel_values" if legacy else name

    @cached_property
    def _accepted(self) -> frozenset[str]:
        return frozenset(inspect.signature(self.model.forward).parameters)


_PARTS: Mapping[Media, str] = {"images": "image_processor", "video": "video_processor"}
