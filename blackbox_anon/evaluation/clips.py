"""The clips a comparison runs on, held in memory as the 8-bit images they are."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from blackbox_anon.anonymizers import AbstractAnonymizer, AbstractRegionAnonymizer
from blackbox_anon.mllms import to_uint8
from blackbox_anon.world import PeopleWorld
from blackbox_anon.world.regions import person_regions


@dataclass(frozen=True, kw_only=True)
class ClipSet:
    """Clips with all their labels.

    Attributes:
        clips: ``(N, T, 3, H, W)``, uint8.
        labels: Class indices, ``(N,)``.
        attributes: ``(N, A)``, 0 or 1.
        regions: Person boxes, ``(N, T, 1, H, W)``, uint8.
    """

    clips: Tensor
    labels: Tensor
    attributes: Tensor
    regions: Tensor

    def __len__(self) -> int:
        return len(self.clips)


def draw_clips(
    world: PeopleWorld, frames: list[int] | None = None, progress: Callable[[], None] = lambda: None
) -> ClipSet:
    """Draw all clips of a world, or only some frames of each.

    Args:
        world: What to draw.
        frames: Frame indices to keep, ``None`` for all.
        progress: Called once per clip.
    """
    kept = list(range(world.clip_frames)) if frames is None else frames
    clips, regions, scenes = [], [], []
    for index in range(len(world)):
        scene = world.scene(index)
        scenes.append(scene)
        clips.append(world.frames(index, only=kept))
        regions.append(person_regions(scene, world.clip_frames, world.size)[kept])
        progress()
    return ClipSet(
        clips=torch.stack(clips),
        labels=torch.tensor([scene.action for scene in scenes]),
        attributes=torch.tensor([scene.attributes for scene in scenes]),
        regions=torch.stack(regions),
    )


@torch.no_grad()
def anonymize_clips(anonymizer: AbstractAnonymizer, clips: ClipSet, batch_size: int = 32) -> Tensor:
    """Anonymize in batches; region baselines get the person boxes. uint8 in, uint8 out."""
    parts = []
    pairs = zip(clips.clips.split(batch_size), clips.regions.split(batch_size), strict=True)
    for part, regions in pairs:
        frames = part.float().div(255)
        if isinstance(anonymizer, AbstractRegionAnonymizer):
            parts.append(to_uint8(anonymizer(frames, regions)))
        else:
            parts.append(to_uint8(anonymizer(frames)))
    return torch.cat(parts)
