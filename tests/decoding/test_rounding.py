"""Pixels that depend on the release of FFmpeg are found, and then taken from the older one."""

from pathlib import Path

import numpy as np
import pytest

from blackbox_anon.decoders import DecordDecoder, PyAVDecoder, read_frames
from blackbox_anon.decoders.in_order import decode_in_order
from blackbox_anon.decoders.older_release import as_older_releases
from blackbox_anon.decoders.video_file import VideoFile
from blackbox_anon.decoding import EveryFrame
from tests.data.real import clips, needs_real_data
from tests.decoding.media import pictures, write
from tests.decoding.reference import by_library

WIDTH = 160


def dark(num_frames: int) -> np.ndarray:
    """Frames with blacks below the video range, and motion by half a pixel."""
    bright = pictures(num_frames, width=2 * WIDTH).astype(np.int16)
    halves = np.stack([np.roll(f, i, axis=1) for i, f in enumerate(bright)])
    small = (halves[:, :, ::2] + halves[:, :, 1::2]) // 2
    return np.asarray(np.clip(2 * small - 200, 0, 255), np.uint8)


def depends_on_the_release(path: Path) -> bool:
    with VideoFile(str(path)) as video:
        return decode_in_order(video, set()).rounded_otherwise


@pytest.mark.parametrize("codec", ["mpeg4", "h263p", "flv1", "wmv2"])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_what_the_watch_passes_is_equal_in_both(tmp_path: Path, codec: str, b_frames: int) -> None:
    encoder = {"flv1": "flv"}.get(codec, codec)
    b_frames = b_frames if codec == "mpeg4" else 0
    height, width = (288, 352) if codec == "h263p" else (96, WIDTH)
    compared = 0
    for seed in range(4):
        frames = pictures(20, seed=seed, height=height, width=width)
        frames = frames if seed % 2 else frames // 2 + 30
        path = write(tmp_path / f"{seed}.avi", frames, codec=encoder, b_frames=b_frames)
        if depends_on_the_release(path):
            continue
        newer = by_library(path)
        older = as_older_releases(str(path), list(range(len(newer))), list(newer))
        assert np.array_equal(np.stack(older), newer)
        compared += 1
    assert compared


def test_zeros_that_motion_reads_are_found(tmp_path: Path) -> None:
    path = write(tmp_path / "dark.avi", dark(20), options={"qscale": "2"}, b_frames=2)
    bright = write(tmp_path / "bright.avi", pictures(20) // 2 + 60, b_frames=2)
    assert depends_on_the_release(path)
    assert not depends_on_the_release(bright)


@needs_real_data
def test_real_clips_of_either_kind() -> None:
    found = {path.name: depends_on_the_release(path) for path in clips("ucf101") + clips("hmdb51")}
    assert [name for name, otherwise in found.items() if otherwise] == [
        "v_SoccerJuggling_g23_c01.avi"
    ]


@needs_real_data
def test_the_older_rounding_is_taken_whichever_way_the_clip_is_read() -> None:
    path = next(path for path in clips("ucf101") if "Juggling" in path.name)
    newer = by_library(path)
    for decoder in (DecordDecoder(), PyAVDecoder()):
        every = read_frames(str(path), EveryFrame().indices, decoder)
        few = read_frames(str(path), lambda _: [3, 150], decoder)
        assert np.array_equal(few, [every[3], every[150]])
        difference = np.abs(np.stack(every).astype(np.int16) - newer).max()
        assert difference == 2


def test_frames_of_another_time_are_not_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.avi", pictures(9, width=WIDTH))
    frames = list(by_library(path))
    shifted = frames[1:] + frames[:1]
    taken = as_older_releases(str(path), list(range(9)), shifted)
    assert all(np.array_equal(a, b) for a, b in zip(taken, shifted, strict=True))
    (tmp_path / "bad.avi").write_bytes(b"")
    assert as_older_releases(str(tmp_path / "bad.avi"), [0], frames[:1])[0] is frames[0]
