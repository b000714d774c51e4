from pathlib import Path

import av
import numpy as np
import pytest
import torch
from torch import Tensor

from blackbox_anon import media
from blackbox_anon.datasets import read_clip, read_image
from blackbox_anon.media import write_image, write_video


def moving_square(num_frames: int, height: int, width: int) -> Tensor:
    frames = torch.full((num_frames, 3, height, width), 40, dtype=torch.uint8)
    for i in range(num_frames):
        frames[i, 0, 8:24, 2 * i : 2 * i + 16] = 220
    return frames


@pytest.mark.parametrize("encoder", ["libx264", "mpeg4"])
def test_a_video_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: str) -> None:
    monkeypatch.setattr(media, "ENCODERS", {"no_such": {}, encoder: media.ENCODERS[encoder]})
    frames = moving_square(9, 48, 64)
    write_video(tmp_path / "new" / "clip.mp4", frames, fps=4)
    with av.open(str(tmp_path / "new" / "clip.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == {"libx264": "h264"}.get(encoder, encoder)
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == 4
    back = read_clip(tmp_path / "new" / "clip.mp4", 9, None)
    assert back.shape == frames.shape
    assert (back.float() - frames.float()).abs().mean() < 6
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize(("num_frames", "fps"), [(1, 29.97), (3, 0.5)])
def test_odd_sides_are_padded(tmp_path: Path, num_frames: int, fps: float) -> None:
    write_video(tmp_path / "clip.mp4", moving_square(num_frames, 33, 47), fps)
    assert read_clip(tmp_path / "clip.mp4", num_frames, None).shape == (num_frames, 3, 34, 48)


def test_an_image_comes_back_exactly(tmp_path: Path) -> None:
    frame = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 5, 7), dtype=np.uint8))
    write_image(tmp_path / "image.png", frame)
    assert torch.equal(read_image(tmp_path / "image.png", None), frame)


def test_a_failure_leaves_the_old_file_and_no_half_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clip.mp4").write_text("old")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("disk full")

    monkeypatch.setattr(av.VideoFrame, "from_ndarray", fail)
    with pytest.raises(RuntimeError, match="disk full"):
        write_video(tmp_path / "clip.mp4", moving_square(2, 32, 32), 4)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("clip.mp4", "old")]


def test_bad_arguments(tmp_path: Path) -> None:
    frames = moving_square(2, 32, 32)
    with pytest.raises(ValueError, match=r"shape \(T 3 H W\), found \(3, 32, 32\)"):
        write_video(tmp_path / "a.mp4", frames[0], 4)
    with pytest.raises(ValueError, match=r"shape \(3 H W\)"):
        write_image(tmp_path / "a.png", frames)
    with pytest.raises(ValueError, match="uint8"):
        write_image(tmp_path / "a.png", frames[0].float())
    with pytest.raises(ValueError, match="fps"):
        write_video(tmp_path / "a.mp4", frames, 0)
