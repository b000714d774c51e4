from pathlib import Path

import av
import decord
import numpy as np
import pytest
import torch
from torch import Tensor

from blackbox_anon.datasets import UnreadableFileError, clip_indices, read_clip
from tests.data.real import ROOT, clips, needs_real_data
from tests.data.ucf import write_avi


def decoded_in_order(path: Path) -> Tensor:
    with av.open(str(path), metadata_errors="replace") as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)


def largest_difference(path: Path, clip_frames: int) -> int:
    truth = decoded_in_order(path)
    expected = truth[clip_indices(len(truth), clip_frames)].int()
    return int((read_clip(path, clip_frames, None).int() - expected).abs().max())


@needs_real_data
@pytest.mark.parametrize("path", clips("ucf101"), ids=lambda path: path.stem)
@pytest.mark.parametrize("clip_frames", [1, 8, 16, 400])
def test_ucf101_frames_are_the_ones_asked_for(path: Path, clip_frames: int) -> None:
    assert largest_difference(path, clip_frames) <= 2  # two XviD decoders round differently


@needs_real_data
@pytest.mark.parametrize("path", clips("hmdb51"), ids=lambda path: path.stem[:12])
@pytest.mark.parametrize("clip_frames", [1, 8, 16, 400])
def test_hmdb51_frames_are_the_ones_asked_for(path: Path, clip_frames: int) -> None:
    assert largest_difference(path, clip_frames) == 0


@needs_real_data
def test_h264_with_b_frames_is_read_by_seeking_and_exact() -> None:
    assert largest_difference(ROOT / "videos" / "kinetics_SOX5yA1l24A.mp4", 8) <= 2


@needs_real_data
@pytest.mark.parametrize("path", clips("hmdb51"), ids=lambda path: path.stem[:12])
def test_the_trap_is_still_there(path: Path) -> None:
    """When this fails, decord seeks correctly and the in-order path can go."""
    truth = decoded_in_order(path).permute(0, 2, 3, 1)
    reader = decord.VideoReader(str(path), num_threads=1)
    backwards = range(len(truth) - 1, -1, -1)
    assert any(not np.array_equal(reader[i].asnumpy(), truth[i]) for i in backwards)


@pytest.mark.parametrize("width", [16, 24, 48, 128, 340])
@pytest.mark.parametrize("container", ["avi", "mp4", "mkv"])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_written_clips_come_back_in_order(
    tmp_path: Path, container: str, b_frames: int, width: int
) -> None:
    path = tmp_path / f"clip.{container}"
    write_avi(path, 20, b_frames=b_frames, width=width)
    for clip_frames in (1, 7, 20, 45):
        assert largest_difference(path, clip_frames) <= 2


def test_shape_dtype_and_crops(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    write_avi(path, 6)
    centre, stretched = (read_clip(path, 8, 32, crop=crop) for crop in ("center", "stretch"))
    assert centre.shape == stretched.shape == (8, 3, 32, 32)
    assert centre.dtype == torch.uint8
    assert not torch.equal(centre, stretched)
    assert read_clip(path, 8, None).shape == (8, 3, 48, 64)


def unreadable_files() -> dict[str, bytes]:
    return {"empty.avi": b"", "text.mp4": b"no video", "cut.avi": b"RIFF\x10\0\0\0AVI LIST"}


@pytest.mark.parametrize("name", unreadable_files())
def test_a_bad_file_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(unreadable_files()[name])
    with pytest.raises(UnreadableFileError, match=name):
        read_clip(path, 8, 32)


@needs_real_data
def test_a_damaged_real_file_is_named() -> None:
    with pytest.raises(UnreadableFileError, match=r"corrupted\.mp4"):
        read_clip(ROOT / "videos" / "corrupted.mp4", 8, 32)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.avi", tmp_path):
        with pytest.raises(UnreadableFileError, match=path.name):
            read_clip(path, 8, 32)


def test_sound_without_video_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        samples.sample_rate = 16000
        container.mux(stream.encode(samples))
        container.mux(stream.encode())
    with pytest.raises(UnreadableFileError, match="no video stream"):
        read_clip(path, 8, 32)


def test_bad_arguments_are_not_the_files_fault(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    write_avi(path, 6)
    with pytest.raises(ValueError, match="clip_frames"):
        read_clip(path, 0, 32)
    with pytest.raises(ValueError, match="size"):
        read_clip(path, 2, 0)
    with pytest.raises(ValueError, match="crop"):
        read_clip(path, 2, 8, crop="left")  # type: ignore[arg-type]  # what a config could say
    with pytest.raises(ValueError, match="num_frames"):
        clip_indices(0, 8)
    with pytest.raises(ValueError, match="clip_frames"):
        clip_indices(8, 0)
