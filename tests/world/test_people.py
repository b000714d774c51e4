import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from blackbox_anon.world import PeopleFrames, PeopleWorld, PeopleWorldDataModule
from blackbox_anon.world.drawing import render
from blackbox_anon.world.regions import person_regions

LABELS = 3000


@pytest.fixture(scope="module")
def world() -> PeopleWorld:
    return PeopleWorld("train", length=LABELS, seed=5)


@pytest.fixture(scope="module")
def labels(world: PeopleWorld) -> tuple[Tensor, Tensor]:
    scenes = [world.scene(index) for index in range(LABELS)]
    actions = torch.tensor([scene.action for scene in scenes])
    return actions, torch.tensor([scene.attributes for scene in scenes])


def test_a_sample_depends_on_its_index_alone(world: PeopleWorld) -> None:
    forward = [world.frames(index) for index in range(4)]
    torch.rand(7), np.random.default_rng().random(7)
    other = PeopleWorld("train", length=4, seed=5)
    backward = [other.frames(index) for index in reversed(range(4))]
    assert all(torch.equal(a, b) for a, b in zip(forward, reversed(backward), strict=True))


@pytest.mark.parametrize(
    "context", ["fork", pytest.param("spawn", marks=pytest.mark.slow)], ids=str
)
def test_workers_change_nothing(context: str) -> None:
    small = PeopleWorld("val", length=6, clip_frames=2)
    alone = list(DataLoader(small, 2))
    shared = list(DataLoader(small, 2, num_workers=2, multiprocessing_context=context))
    for one, other in zip(alone, shared, strict=True):
        assert torch.equal(one["frames"], other["frames"])
        assert one["name"] == other["name"]


def test_splits_and_seeds_share_no_clip() -> None:
    clips = [
        world.frames(index).numpy().tobytes()
        for seed in (0, 1)
        for world in (PeopleWorld(split, seed=seed) for split in ("train", "val", "test"))
        for index in range(10)
    ]
    assert len(set(clips)) == len(clips)


@pytest.mark.parametrize("index", [3, 4, 5, 6, 7])
def test_a_frame_drawn_alone_is_the_clip_s(world: PeopleWorld, index: int) -> None:
    """In a clip, bystanders are painted once; alone, a frame paints everybody."""
    clip = world.frames(index)
    for t in range(world.clip_frames):
        assert torch.equal(world.frames(index, only=[t])[0], clip[t])


def test_those_clips_have_bystanders(world: PeopleWorld) -> None:
    """Partners whose arms are still, and groups whose arms sway: else the above shows little."""
    people = [person for index in range(3, 8) for person in world.scene(index).people]
    standing = [person for person in people if person.action == "stand"]
    assert any(person.reach for person in standing)
    assert any(not person.reach for person in standing)


def test_what_is_kept_is_what_would_be_drawn() -> None:
    drawn, kept, counted = PeopleWorld("val", length=3), PeopleWorld("val", length=3), []
    kept.keep(progress=lambda: counted.append(1))
    kept.keep(progress=lambda: counted.append(1))  # they are kept already
    assert len(counted) == 3
    for index in range(3):
        assert torch.equal(kept.frames(index), drawn.frames(index))
        assert torch.equal(kept.frames(index, only=[6, 1]), drawn.frames(index, only=[6, 1]))
    kept.frames(0).zero_()
    assert torch.equal(kept.frames(0), drawn.frames(0))
    with pytest.raises(IndexError, match="3"):
        kept.frames(3)


def test_kept_clips_make_the_same_batches() -> None:
    sizes = {"train_clips": 6, "val_clips": 2, "batch_size": 2, "privacy_batch_size": 4}
    found = []
    for keep_drawn in (False, True):
        data = PeopleWorldDataModule(**sizes, keep_drawn=keep_drawn)
        data.setup("fit")
        found.append([batch for batch, _, _ in data.train_dataloader()])
    for one, other in zip(*found, strict=True):
        for role in ("utility", "privacy"):
            assert one[role]["name"] == other[role]["name"]
            assert torch.equal(one[role]["frames"], other[role]["frames"])


def test_privacy_frames_come_from_their_clip(world: PeopleWorld) -> None:
    images = PeopleFrames(world)
    for index in (0, 1, 2, 3, 41):
        sample = images[index]
        split, clip, t = str(sample["name"]).split("/")
        assert (split, int(clip)) == ("train", index // 4)
        frame = world[int(clip)]["frames"][int(t)]  # type: ignore[index]  # a tensor
        assert torch.equal(sample["frames"], frame)
        assert sample["attributes"].tolist() == list(world.scene(int(clip)).attributes)


def test_sample_has_its_documented_shape(world: PeopleWorld) -> None:
    sample = world[7]
    frames, attributes = sample["frames"], sample["attributes"]
    assert isinstance(frames, Tensor)
    assert isinstance(attributes, Tensor)
    assert frames.shape == (8, 3, 64, 64)
    assert (frames >= 0).all()
    assert (frames <= 1).all()
    assert attributes.shape == (len(world.attributes),)
    assert set(attributes.tolist()) <= {0.0, 1.0}
    assert sample["name"] == "train/000007"


def test_actions_and_attributes_are_common_enough(labels: tuple[Tensor, Tensor]) -> None:
    actions, attributes = labels
    shares = torch.bincount(actions, minlength=10) / LABELS
    assert (shares > 0.07).all()
    assert (shares < 0.13).all()
    prevalence = attributes.float().mean(0)
    assert (prevalence > 0.25).all()
    assert (prevalence < 0.6).all()


def test_attributes_do_not_tell_the_action(labels: tuple[Tensor, Tensor]) -> None:
    actions, attributes = labels
    counts = torch.bincount(actions, minlength=10).float()
    for column in attributes.T.float():
        share = column.mean()
        expected = counts * share
        found = torch.bincount(actions, weights=column, minlength=10)
        chi_square = ((found - expected) ** 2 / (expected * (1 - share))).sum()
        assert chi_square < 33.7  # 9 degrees of freedom, p = 0.0001


def test_a_face_is_complete_or_partial_but_not_both(labels: tuple[Tensor, Tensor]) -> None:
    attributes = labels[1]
    complete = PeopleWorld.attributes.index("a9_face_complete")
    partial = PeopleWorld.attributes.index("a10_face_partial")
    assert not (attributes[:, complete] & attributes[:, partial]).any()


def test_regions_cover_the_people(world: PeopleWorld) -> None:
    """Whatever changes when the people leave lies inside their boxes; a thrown prop may not."""
    for index in range(60):
        scene = world.scene(index)
        if world.classes[scene.action] in ("throw", "pick up"):
            continue
        empty = dataclasses.replace(scene, people=())
        changed = render(scene, 8, 64) != render(empty, 8, 64)
        inside = person_regions(scene, 8, 64).bool().permute(0, 2, 3, 1).numpy()
        assert not (changed & ~inside).any(), index
        assert inside.mean() < 0.95


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 16}, "size"),
        ({"length": 0}, "length"),
        ({"clip_frames": 0}, "clip_frames"),
        ({"split": "train2017"}, "split"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PeopleWorld(**arguments)  # type: ignore[arg-type]  # the point of the test


def test_an_index_beyond_the_end_is_refused(world: PeopleWorld) -> None:
    with pytest.raises(IndexError, match=str(LABELS)):
        world.scene(LABELS)


def test_data_module_pairs_and_splits() -> None:
    data = PeopleWorldDataModule(
        train_clips=6, val_clips=3, test_clips=2, batch_size=2, privacy_batch_size=4
    )
    assert data.classes == data.class_texts == list(PeopleWorld.classes)
    assert data.num_attributes == len(data.attributes) == 7
    batches = [batch for batch, _, _ in data.train_dataloader()]
    assert len(batches) == 3
    assert batches[0]["utility"]["frames"].shape == (2, 8, 3, 64, 64)
    assert batches[0]["privacy"]["frames"].shape == (4, 3, 64, 64)
    names = {name for batch in batches for name in batch["utility"]["name"]}
    assert names == {f"train/{index:06d}" for index in range(6)}
    for loaders, split in ((data.val_dataloader(), "val"), (data.test_dataloader(), "test")):
        assert len(loaders) == 2
        assert all(name.startswith(split) for name in next(iter(loaders[0]))["name"])
    assert next(iter(data.predict_dataloader()))["name"] == ["test/000000", "test/000001"]
