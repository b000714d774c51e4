from pathlib import Path

import pytest
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from blackbox_anon.callbacks import BeforeAfterImages, before_after_grid
from tests.tasks.parts import B, make_data, make_task, make_trainer


@pytest.mark.parametrize("overlap", ["never", "always"])
def test_images_reach_tensorboard_at_their_query_count(tmp_path: Path, overlap: str) -> None:
    logger = TensorBoardLogger(tmp_path)
    callback = BeforeAfterImages(every=2, count=1)
    task = make_task(overlap=overlap)
    make_trainer(tmp_path, logger=logger, callbacks=[callback]).fit(task, make_data())
    events = EventAccumulator(logger.log_dir)
    events.Reload()
    images = events.Images("before_after")
    assert [image.step for image in images] == [2 * B, 6 * B]
    assert (images[0].height, images[0].width) == (2 * 32, 2 * 32)


def test_a_picture_drawn_later_is_of_its_own_step(tmp_path: Path) -> None:
    pictures = []
    for overlap in ("never", "always"):
        logger = TensorBoardLogger(tmp_path / overlap)
        task = make_task(overlap=overlap)
        callbacks = [BeforeAfterImages(every=1, count=B)]
        make_trainer(tmp_path, logger=logger, callbacks=callbacks).fit(task, make_data())
        events = EventAccumulator(logger.log_dir)
        events.Reload()
        pictures.append([image.encoded_image_string for image in events.Images("before_after")])
    assert len(pictures[0]) == len(set(pictures[0])) == 3
    assert pictures[0] == pictures[1]


def test_raw_frames_can_be_kept_out(tmp_path: Path) -> None:
    logger = TensorBoardLogger(tmp_path)
    callback = BeforeAfterImages(count=1, raw=False)
    make_trainer(tmp_path, logger=logger, callbacks=[callback]).fit(make_task(), make_data())
    events = EventAccumulator(logger.log_dir)
    events.Reload()
    assert events.Tags()["images"] == ["after"]
    [image] = events.Images("after")
    assert (image.height, image.width) == (32, 2 * 32)


def test_without_tensorboard_nothing_happens(tmp_path: Path) -> None:
    make_trainer(tmp_path, callbacks=[BeforeAfterImages()]).fit(make_task(), make_data())
    assert not list(tmp_path.rglob("*tfevents*"))


@pytest.mark.parametrize(("frames", "shown"), [(1, [0]), (2, [0, 5]), (9, [0, 1, 2, 3, 4, 5])])
def test_grid_has_raw_above_anonymized(frames: int, shown: list[int]) -> None:
    raw, anonymized = torch.rand(2, 6, 3, 4, 5), torch.rand(2, 6, 3, 4, 5)
    grid = before_after_grid(raw, anonymized, frames)
    rows = [
        torch.cat([source[sample, t] for t in shown], dim=-1)
        for sample in range(2)
        for source in (raw, anonymized)
    ]
    expected = (torch.cat(rows, dim=-2) * 255).round().to(torch.uint8)
    assert torch.equal(grid, expected)


def test_grid_of_images_is_one_frame_wide() -> None:
    raw, anonymized = torch.zeros(3, 3, 4, 5), torch.ones(3, 3, 4, 5)
    grid = before_after_grid(raw, anonymized)
    assert grid.shape == (3, 2 * 3 * 4, 5)
    assert grid[0, :, 0].tolist() == ([0] * 4 + [255] * 4) * 3
