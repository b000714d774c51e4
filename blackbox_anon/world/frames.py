"""Single frames of PeopleWorld, for the privacy side."""

import torch
from torch import Tensor
from torch.utils.data import Dataset
from typing_extensions import override

from blackbox_anon.world.people import PeopleWorld

FRAMES_PER_CLIP = 4


class PeopleFrames(Dataset[dict[str, Tensor]]):
    """:data:`FRAMES_PER_CLIP` frames of every clip, each an image with the clip's attributes.

    Args:
        world: The clips.
    """

    def __init__(self, world: PeopleWorld) -> None:
        self.world = world

    def __len__(self) -> int:
        return FRAMES_PER_CLIP * len(self.world)

    @override
    def __getitem__(self, index: int) -> dict[str, Tensor]:
        clip, part = divmod(index, FRAMES_PER_CLIP)
        scene, frames = self.world.scene(clip), self.world.clip_frames
        t = (part * frames // FRAMES_PER_CLIP + clip) % frames
        return {
            "frames": self.world.frames(clip, only=[t])[0].float().div(255),
            "attributes": torch.tensor(scene.attributes, dtype=torch.float32),
            "name": f"{self.world.split}/{clip:06d}/{t}",  # type: ignore[dict-item]  # a name beside tensors
        }
