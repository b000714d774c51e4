from pathlib import Path

import pytest
import torch

from blackbox_anon.datasets import UnreadableFileError, clip_indices, read_clip
from blackbox_anon.decoding import ClipReader, UniformSampling
from tests.data.ucf import write_avi


def test_shape_dtype_and_crops(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    write_avi(path, 6)
    centre, stretched = (read_clip(path, 8, 32, crop=crop) for crop in ("center", "stretch"))
    assert centre.shape == stretched.shape == (8, 3, 32, 32)
    assert centre.dtype == torch.uint8
    assert not torch.equal(centre, stretched)
    assert read_clip(path, 8, None).shape == (8, 3, 48, 64)


def test_it_is_the_reader_with_the_uniform_rule(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    write_avi(path, 20, b_frames=2)
    assert torch.equal(read_clip(path, 5, 24), ClipReader(UniformSampling(5), 24)(path))
    assert clip_indices(20, 5) == UniformSampling(5).indices(20)


def test_bad_files_and_arguments(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    write_avi(path, 6)
    with pytest.raises(UnreadableFileError, match="none"):
        read_clip(tmp_path / "none.avi", 8, 32)
    with pytest.raises(ValueError, match="clip_frames"):
        read_clip(path, 0, 32)
    with pytest.raises(ValueError, match="clip_frames"):
        clip_indices(8, 0)
    with pytest.raises(ValueError, match="num_frames"):
        clip_indices(0, 8)
    with pytest.raises(ValueError, match="size"):
        read_clip(path, 2, 0)
    with pytest.raises(ValueError, match="crop"):
        read_clip(path, 2, 8, crop="left")  # type: ignore[arg-type]  # what a config could say
