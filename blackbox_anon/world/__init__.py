"""The embedded default: a procedural world of people and a tiny MLLM that knows it.

Example:
    >>> world = PeopleWorld("train", length=4)
    >>> sample = world[0]
    >>> sample["frames"].shape, world.classes[sample["label"]]
    (torch.Size([8, 3, 64, 64]), 'pick up')
"""

from blackbox_anon.world.datamodule import PeopleWorldDataModule
from blackbox_anon.world.frames import PeopleFrames
from blackbox_anon.world.people import PeopleWorld

__all__ = ["PeopleFrames", "PeopleWorld", "PeopleWorldDataModule"]
