import math
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from blackbox_anon.decoding import ClipReader, EveryFrame, UnreadableFileError
from tests.data.real import ROOT, clips, needs_real_data
from tests.decoding.broken import BROKEN, ODD
from tests.decoding.media import pictures, write
from tests.decoding.reference import in_order


def test_there_are_thirty_broken_files() -> None:
    assert len(BROKEN) >= 30


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named_with_the_reason(tmp_path: Path, name: str) -> None:
    make, reason = BROKEN[name]
    path = tmp_path / name
    make(path)
    reader = ClipReader(size=32, time_limit=1 if "time limit" in reason else 30)
    for use in (reader, reader.count):
        with pytest.raises(UnreadableFileError, match=reason) as failure:
            use(path)
        assert failure.value.path == str(path)


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("backend", ["decord", "pyav"])
def test_an_odd_file_is_read(tmp_path: Path, name: str, backend: str) -> None:
    make, (num_frames, height, width) = ODD[name]
    path = tmp_path / name
    make(path)
    reader = ClipReader(EveryFrame(), None, backend=backend)  # type: ignore[arg-type]
    assert reader.count(path) == num_frames
    frames = reader(path)
    assert frames.shape == (num_frames, 3, height, width)
    assert np.array_equal(frames.permute(0, 2, 3, 1), in_order(path))
    assert ClipReader(size=16)(path).shape == (8, 3, 16, 16)


REMARKS = {
    "one_frame.mp4": ["one frame"],
    "one_pixel.avi": ["1x1 pixels"],
    "mp4_inside.avi": ["suffix .avi, content mov"],
    "avi_inside.mp4": ["suffix .mp4, content avi"],
    "variable_rate.mp4": ["variable frame rate"],
    "turned.mp4": ["turned or mirrored by its display matrix"],
    "odd_sides.avi": [],
}


@pytest.mark.parametrize("name", REMARKS)
@pytest.mark.parametrize("time_limit", [30, math.inf])
def test_an_odd_file_is_remarked_on(tmp_path: Path, name: str, time_limit: float) -> None:
    path = tmp_path / name
    ODD[name][0](path)
    assert ClipReader(time_limit=time_limit).remarks(path) == REMARKS[name]
    path.write_bytes(b"")
    with pytest.raises(UnreadableFileError, match=name):
        ClipReader(time_limit=time_limit).remarks(path)


@needs_real_data
@pytest.mark.parametrize("path", clips("hmdb51") + clips("ucf101"), ids=lambda path: path.name[:9])
def test_ordinary_clips_draw_no_remark(path: Path) -> None:
    assert ClipReader().remarks(path) == []


@needs_real_data
def test_a_damaged_real_file_is_named() -> None:
    with pytest.raises(UnreadableFileError, match=r"corrupted\.mp4: .*Invalid data"):
        ClipReader()(ROOT / "videos" / "corrupted.mp4")


@pytest.mark.parametrize("name", ["cut_50.avi", "scratched.avi"])
def test_damage_can_be_put_up_with(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    BROKEN[name][0](path)
    frames = ClipReader(size=None, strict=False)(path)
    assert frames.shape == (8, 3, 96, 144)
    assert 1 < ClipReader(strict=False).count(path) <= 24


def test_a_good_file_after_a_broken_one(tmp_path: Path) -> None:
    good = write(tmp_path / "good.avi", pictures(9))
    reader = ClipReader(EveryFrame(), None)
    before = reader(good)
    (tmp_path / "bad.avi").write_bytes(b"")
    with pytest.raises(UnreadableFileError):
        reader(tmp_path / "bad.avi")
    assert torch.equal(reader(good), before)


def test_the_error_survives_a_worker() -> None:
    error = pickle.loads(pickle.dumps(UnreadableFileError("a.avi", "no\nreason")))
    assert (error.path, error.reason) == ("a.avi", "no reason")
