"""PeopleWorld: short clips of drawn people that carry an action and private attributes."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from typing_extensions import override

from blackbox_anon.world.actions import ACTIONS
from blackbox_anon.world.drawing import render
from blackbox_anon.world.questions import QuestionAnswer, question_answers
from blackbox_anon.world.scene import ATTRIBUTES, Scene, scene_of

_scene_of = lru_cache(maxsize=4096)(scene_of)  # a clip is drawn again for its single frames


class PeopleWorld(Dataset[dict[str, object]]):
    """A deterministic procedural set of clips; index to sample is a pure function.

    Articulated people do one of ten actions told apart by motion, in four places, with bystanders
    and distractor objects. Each clip carries the seven VISPR1 attributes under their VISPR ids;
    they are drawn independently of the action, so hiding them is possible. ``train``, ``val`` and
    ``test`` use separate random streams and are disjoint for one seed.

    An attribute means what VISPR means by it, that the information can be *seen*: ``a17_color`` is
    absent where skin is painted, ``a4_gender`` where hood and coat hide it.

    Args:
        split: ``train``, ``val`` or ``test``.
        length: Number of clips.
        clip_frames: Frames ``T`` of a clip.
        size: Height and width in pixels, at least 32.
        seed: World seed.
    """

    classes: tuple[str, ...] = ACTIONS
    attributes: tuple[str, ...] = ATTRIBUTES

    def __init__(
        self,
        split: str = "train",
        *,
        length: int = 2000,
        clip_frames: int = 8,
        size: int = 64,
        seed: int = 0,
    ) -> None:
        if size < 32:
            msg = f"`size` must be at least 32 pixels; found {size}"
            raise ValueError(msg)
        if length < 1 or clip_frames < 1:
            msg = f"`length` and `clip_frames` must be positive; found {length} and {clip_frames}"
            raise ValueError(msg)
        scene_of(seed, split, 0)  # refuses an unknown split here, not in a worker
        self.split, self.length, self.clip_frames = split, length, clip_frames
        self.size, self.seed = size, seed
        self._kept: Tensor | None = None

    def __len__(self) -> int:
        return self.length

    def scene(self, index: int) -> Scene:
        """Return what clip ``index`` shows."""
        if not 0 <= index < self.length:
            msg = f"`index` must be in [0, {self.length}); found {index}"
            raise IndexError(msg)
        return _scene_of(self.seed, self.split, index)

    def keep(self, progress: Callable[[], None] = lambda: None) -> None:
        """Draw all clips now and keep them: at 8 frames of 64 by 64 pixels, 98 kB a clip.

        Args:
            progress: Called once per clip that is drawn.
        """
        if self._kept is not None:
            return
        size = self.clip_frames, 3, self.size, self.size
        kept = torch.empty(self.length, *size, dtype=torch.uint8)
        for index in range(self.length):
            kept[index] = self.frames(index)
            progress()
        self._kept = kept

    def frames(self, index: int, only: Sequence[int] | None = None) -> Tensor:
        """Return clip ``index``, or only some of its frames, as uint8 ``(T, 3, H, W)``."""
        scene = self.scene(index)
        if self._kept is not None:
            clip = self._kept[index]
            return clip.clone() if only is None else clip[list(only)]
        pixels = render(scene, self.clip_frames, self.size, only)
        # Transposed by NumPy: a few kilobytes are not worth waking all of torch's threads.
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))

    def question_answers(self, index: int) -> list[QuestionAnswer]:
        """List the questions about clip ``index`` with their true answers."""
        return question_answers(self.scene(index))

    @override
    def __getitem__(self, index: int) -> dict[str, object]:
        scene = self.scene(index)
        return {
            "frames": self.frames(index).float().div(255),
            "label": torch.tensor(scene.action),
            "place": torch.tensor(scene.place),
            "attributes": torch.tensor(scene.attributes, dtype=torch.float32),
            "name": f"{self.split}/{index:06d}",
        }
