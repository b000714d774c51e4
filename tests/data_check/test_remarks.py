"""Files that can be read, and that a user should know of."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from blackbox_anon.data_check.remarks import remarks
from tests.data.real import ROOT, needs_real_data
from tests.data.ucf import write_avi


def write_mp4(path: Path, times: list[int]) -> Path:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 25)
        for time in times:
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_nothing_to_say(tmp_path: Path) -> None:
    write_avi(tmp_path / "a.avi", 12)
    write_avi(tmp_path / "b.avi", 12, b_frames=2)
    Image.new("L", (40, 30)).save(tmp_path / "c.jpg")
    write_mp4(tmp_path / "d.mp4", list(range(12)))
    assert {file.name: remarks(file) for file in tmp_path.iterdir()} == {
        "a.avi": [],
        "b.avi": [],
        "c.jpg": [],
        "d.mp4": [],
    }


@pytest.mark.parametrize("suffix", [".avi", ".mp4"])
def test_a_single_frame(tmp_path: Path, suffix: str) -> None:
    write_avi(tmp_path / f"a{suffix}", 1)
    assert remarks(tmp_path / f"a{suffix}") == ["a single frame"]


def test_a_variable_frame_rate(tmp_path: Path) -> None:
    assert remarks(write_mp4(tmp_path / "a.mp4", [0, 1, 2, 7, 8, 9])) == ["variable frame rate"]


def test_another_format_than_the_suffix_says(tmp_path: Path) -> None:
    write_mp4(tmp_path / "a.mp4", [0, 1, 2]).rename(tmp_path / "a.avi")
    [remark] = remarks(tmp_path / "a.avi")
    assert remark.startswith("is mov,mp4")
    assert remark.endswith("not avi")
    Image.new("RGB", (40, 30)).save(tmp_path / "b.png")
    (tmp_path / "b.png").rename(tmp_path / "b.jpg")
    assert remarks(tmp_path / "b.jpg") == ["is png, not jpeg"]


def test_a_tiny_picture(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "a.jpg")
    assert remarks(tmp_path / "a.jpg") == ["1 x 1 pixels"]


def test_what_cannot_be_looked_at(tmp_path: Path) -> None:
    (tmp_path / "a.avi").write_bytes(b"nothing")
    [remark] = remarks(tmp_path / "a.avi")
    assert remark.startswith("its header could not be looked at: ")


@needs_real_data
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_rotation(degrees: int) -> None:
    expected = ["turned upright by its display matrix"] if degrees else []
    assert remarks(ROOT / "videos" / f"video_{degrees}.mov") == expected


@needs_real_data
def test_real_files_have_none() -> None:
    files = [*ROOT.glob("*101/videos/*.avi"), *ROOT.glob("*51/videos/*"), *ROOT.glob("vispr/*/*")]
    assert [file.name for file in files if remarks(file)] == []
    assert len(files) >= 7
