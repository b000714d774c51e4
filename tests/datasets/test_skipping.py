import logging
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from blackbox_anon.datasets import UCF101, SkipUnreadable, UnreadableFileError, collate, read_clip
from blackbox_anon.datasets.skipping import Sample
from blackbox_anon.errors import UnreadableDataError
from tests.data.readers import reader
from tests.data.real import clips, needs_real_data


class Numbers:
    """0, 1, 2, ...; the bad ones cannot be read."""

    def __init__(self, length: int, bad: set[int]) -> None:
        self.length = length
        self.bad = bad

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:
        if index in self.bad:
            raise UnreadableFileError(f"{index}.avi", "bad")
        return {"value": torch.tensor(index), "name": str(index)}


class RealClips:
    def __init__(self) -> None:
        self.files = clips("ucf101") + clips("hmdb51")

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Sample:
        return {"frames": read_clip(self.files[index], 8, 64), "name": self.files[index].name}


def values(dataset: SkipUnreadable, order: list[int]) -> list[int]:
    return [int(dataset[i]["value"]) for i in order]


def test_the_next_readable_sample_stands_in() -> None:
    assert values(SkipUnreadable(Numbers(5, {1, 2, 4})), list(range(5))) == [0, 3, 3, 3, 0]


def test_an_index_gives_the_same_sample_in_any_order() -> None:
    forwards, backwards = (SkipUnreadable(Numbers(6, {1, 2, 5})) for _ in range(2))
    assert values(forwards, [0, 1, 2, 3, 4, 5]) == values(backwards, [5, 4, 3, 2, 1, 0])[::-1]
    assert values(forwards, [1, 1]) == [3, 3]


def test_every_path_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "blackbox_anon"):
        values(SkipUnreadable(Numbers(4, {1, 2})), [1, 2, 1, 1])
    logged = [record.getMessage().split(": ")[1] for record in caplog.records]
    assert logged == ["1.avi", "2.avi"]


def test_the_limit_names_all_files() -> None:
    dataset = SkipUnreadable(Numbers(9, {1, 3, 5}), max_unreadable=2)
    assert values(dataset, [1, 3, 1, 3]) == [2, 4, 2, 4]
    with pytest.raises(
        UnreadableDataError, match=r"(?s)at most 2 .*found 3.*1\.avi.*3\.avi.*5\.avi"
    ):
        dataset[5]


def test_nothing_readable() -> None:
    with pytest.raises(UnreadableDataError, match="not one of 2 files"):
        SkipUnreadable(Numbers(2, {0, 1}))[0]
    with pytest.raises(ValueError, match="max_unreadable"):
        SkipUnreadable(Numbers(2, set()), max_unreadable=-1)


def test_batches_carry_the_failed_paths() -> None:
    dataset = SkipUnreadable(Numbers(4, {1}))
    batch = collate([dataset[i] for i in range(3)])
    assert batch["value"].tolist() == [0, 2, 2]
    assert batch["name"] == ["0", "2", "2"]
    assert batch["unreadable"] == ["1.avi"]


def test_a_worker_that_passes_the_limit_stops_the_run() -> None:
    dataset = SkipUnreadable(Numbers(8, {0, 2, 4}), max_unreadable=1)
    loader = DataLoader(dataset, batch_size=4, num_workers=1, collate_fn=collate)
    with pytest.raises(UnreadableDataError, match=r"(?s)0\.avi.*2\.avi"):
        list(loader)


def test_a_cut_clip_of_a_dataset(ucf_root: Path) -> None:
    dataset = SkipUnreadable(UCF101(ucf_root, train=False, reader=reader(2, 16)))
    assert dataset[1]["name"] == dataset[0]["name"]
    assert dataset[1]["unreadable"][0].endswith("v_HandStandPushups_g01_c01.avi")


@needs_real_data
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_read_what_the_parent_reads(context: str) -> None:
    dataset = SkipUnreadable(RealClips())
    here = [dataset[i] for i in range(len(dataset))]  # the parent has decoded before the fork
    loader = DataLoader(
        dataset, batch_size=1, num_workers=2, multiprocessing_context=context, collate_fn=collate
    )
    for sample, batch in zip(here, loader, strict=True):
        assert batch["name"] == [sample["name"]]
        assert torch.equal(batch["frames"][0], sample["frames"])
