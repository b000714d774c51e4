"""At most how many tokens an image costs: what a budget must reserve before it is sent."""

import math
import re
from dataclasses import dataclass
from typing import Literal

Detail = Literal["low", "high", "auto"]

_PATCH = 32
_MOST_PATCHES = 1536
_LOCAL_PATCH = 14  # the smallest of common vision encoders
_LOCAL_MOST = 6404  # four tiles of 1601: what hosted Llama vision models bill at most


@dataclass(frozen=True, kw_only=True)
class _Tiles:
    """A base, and so much more per tile of 512 px."""

    base: int
    tile: int

    def tokens(self, height: int, width: int, detail: Detail) -> int:
        return self.base if detail == "low" else self.base + self.tile * _tiles(height, width)


@dataclass(frozen=True, kw_only=True)
class _Patches:
    """So much per patch of 32 px, whatever the detail."""

    factor: float

    def tokens(self, height: int, width: int, detail: Detail) -> int:
        del detail
        patches = math.ceil(height / _PATCH) * math.ceil(width / _PATCH)
        return math.ceil(min(patches, _MOST_PATCHES) * self.factor)


_RULES: tuple[tuple[str, _Tiles | _Patches], ...] = (  # the first that begins the name holds
    (r"gpt-4o-mini", _Tiles(base=2833, tile=5667)),
    (r"gpt-4\.1-mini|gpt-5-mini", _Patches(factor=1.62)),
    (r"gpt-4\.1-nano|gpt-5-nano", _Patches(factor=2.46)),
    (r"o4-mini", _Patches(factor=1.72)),
    (r"gpt-4o|gpt-4\.1|gpt-4\.5|gpt-4-turbo", _Tiles(base=85, tile=170)),
    (r"gpt-5(?!\.)", _Tiles(base=70, tile=140)),
    (r"o1|o3", _Tiles(base=75, tile=150)),
)


def most_image_tokens(height: int, width: int, *, model: str, detail: Detail, openai: bool) -> int:
    r"""Return an upper bound of the tokens of one image.

    OpenAI's models of the 4o kind count tiles of 512 px after the image was shrunk to fit 2048 px
    and a short side of 768 px; the small ones count patches of 32 px, at most 1536, times a factor.
    A model of OpenAI's that is not listed costs what the dearest listed one does. Elsewhere it is
    the larger of 6404 and one token per 14 px patch, which covers tiled Llama, LLaVA-NeXT (2880)
    and Qwen-VL (28 px).

    Args:
        height: Of the image, in pixels.
        width: Of the image, in pixels.
        model: Name of the model; what stands before a slash does not matter.
        detail: As asked; ``auto`` is taken as ``high``.
        openai: Whether the service bills as OpenAI does.

    Example:
        >>> most_image_tokens(1024, 1024, model="gpt-4o", detail="high", openai=True)
        765
        >>> most_image_tokens(1024, 1024, model="gpt-4.1-mini", detail="low", openai=True)
        1659

    Reference:
        OpenAI's guide "Images and vision", section on costs, as of 2025.
    """
    if not openai:
        area = math.ceil(height / _LOCAL_PATCH) * math.ceil(width / _LOCAL_PATCH)
        return max(_LOCAL_MOST, area)
    name = model.rsplit("/", 1)[-1].lower()
    listed = [rule for start, rule in _RULES if re.match(start, name)][:1]
    rules = listed or [rule for _, rule in _RULES]
    return max(rule.tokens(height, width, detail) for rule in rules)


def _tiles(height: int, width: int) -> int:
    for side, limit in ((max, 2048), (min, 768)):  # shrunk to fit, never enlarged
        fit = min(1.0, limit / side(height, width))
        height, width = max(1, round(height * fit)), max(1, round(width * fit))
    return math.ceil(height / 512) * math.ceil(width / 512)
