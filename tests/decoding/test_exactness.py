"""Frame ``k`` is byte for byte frame ``k`` of an in-order decode by ffmpeg."""

import shutil
from importlib import import_module
from pathlib import Path

import decord
import numpy as np
import pytest

from blackbox_anon.decoders import DECODERS, Backend, read_frames
from blackbox_anon.decoders.timeline import Timeline, read_timeline
from blackbox_anon.decoders.video_file import VideoFile
from blackbox_anon.decoding import ClipReader, EveryFrame, UniformSampling, resize
from tests.data.real import ROOT, clips, needs_real_data
from tests.decoding.media import has_encoder, pictures, write
from tests.decoding.reference import FFMPEG, in_order

BACKENDS: tuple[Backend, ...] = ("decord", "pyav", "torchcodec")

H264 = {"codec": "libx264"}
IN_GROUPS = {"keyframes": 6, "options": {"sc_threshold": "0"}}
OPEN_GROUPS = {"keyframes": 6, "options": {"x264-params": "open-gop=1:scenecut=0"}}

WRITTEN: dict[str, dict[str, object]] = {  # suffix of a name is the container
    "plain.avi": {},
    "b_frames.avi": {"b_frames": 2},
    "b_frames.mp4": {"b_frames": 2},
    "b_frames.mkv": {"b_frames": 2},
    "keyframes.avi": {"keyframes": 2},
    "h264.mp4": {**H264, "b_frames": 3},
    "h264_groups.mp4": {**H264, **IN_GROUPS, "b_frames": 2},
    "h264_groups.mkv": {**H264, **IN_GROUPS, "b_frames": 2},
    "h264_open.mp4": {**H264, **OPEN_GROUPS, "b_frames": 3},
    "h264.avi": {**H264, "b_frames": 2},
    "h264_variable.mp4": {
        **H264,
        **IN_GROUPS,
        "b_frames": 2,
        "times": [4 * i + 40 * (i // 7) for i in range(48)],
    },
    "h264_10_bits.mp4": {**H264, "pix_fmt": "yuv420p10le"},
    "h264_444.mp4": {**H264, "pix_fmt": "yuv444p"},
    "h264_full_range.mp4": {**H264, "pix_fmt": "yuvj420p"},
    "turned.mov": {**H264, "degrees": -90},
    "png.mov": {"codec": "png", "pix_fmt": "rgb24"},
}
SIZES = {"odd.avi": (99, 161), "odd_height.avi": (99, 160), "narrow.mp4": (96, 24)}


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    name: Backend = request.param
    try:
        DECODERS[name]()
    except ImportError as error:
        pytest.skip(str(error))
    return name


def check(path: Path, backend: Backend, *, draws: int = 6) -> None:
    """All frames, then random indices, few enough to seek and many, with repeats."""
    truth = in_order(path)
    decoder = DECODERS[backend]()
    every = read_frames(str(path), EveryFrame().indices, decoder)
    assert len(every) == len(truth)
    assert np.array_equal(np.stack(every), truth)
    dice = np.random.default_rng(len(truth))
    for draw in range(draws):
        indices = dice.integers(0, len(truth), 1 + 2 * (draw % 4)).tolist()
        frames = read_frames(str(path), lambda _, wanted=indices: wanted, decoder)  # type: ignore[misc]
        assert all(np.array_equal(f, truth[i]) for i, f in zip(indices, frames, strict=True))


@needs_real_data
@pytest.mark.parametrize(
    "path",
    [*clips("hmdb51"), *clips("ucf101"), *sorted((ROOT / "videos").glob("*[0-9A].m*"))],
    ids=lambda path: path.name[:18],
)
def test_real_clips(path: Path, backend: Backend) -> None:
    if FFMPEG is None and "SoccerJuggling" in path.name:
        pytest.skip("needs the ffmpeg program: PyAV's own library rounds this clip otherwise")
    check(path, backend)


@pytest.mark.parametrize("name", [*WRITTEN, *SIZES])
def test_written_clips(tmp_path: Path, backend: Backend, name: str) -> None:
    how = WRITTEN.get(name, {})
    if not has_encoder(str(how.get("codec", "mpeg4"))):
        pytest.skip(f"this PyAV cannot write {how['codec']}")
    height, width = SIZES.get(name, (96, 160))
    path = write(tmp_path / name, pictures(48, height=height, width=width), **how)  # type: ignore[arg-type]
    check(path, backend)


def timeline(path: Path) -> Timeline:
    with VideoFile(str(path)) as video:
        return read_timeline(video)


@needs_real_data
def test_where_seeking_is_allowed() -> None:
    juggling, makeup = (
        next(path for path in clips("ucf101") if word in path.name) for word in ("Jugg", "Makeup")
    )
    decoder = DECODERS["decord"]()
    assert decoder.seeks(timeline(juggling))
    assert timeline(juggling).worth_seeking(UniformSampling(8).indices(240))
    assert not timeline(juggling).worth_seeking(EveryFrame().indices(240))
    for path in (makeup, *clips("hmdb51")):
        assert not decoder.seeks(timeline(path))


@pytest.mark.skipif(not has_encoder("libx264"), reason="this PyAV cannot write H.264")
def test_an_open_group_of_pictures_is_not_sought(tmp_path: Path) -> None:
    frames = pictures(48, width=160)
    closed = write(tmp_path / "closed.mp4", frames, **WRITTEN["h264_groups.mp4"])  # type: ignore[arg-type]
    opened = write(tmp_path / "open.mp4", frames, **WRITTEN["h264_open.mp4"])  # type: ignore[arg-type]
    assert (timeline(closed).num_frames, timeline(opened).num_frames) == (48, 0)


@needs_real_data
@pytest.mark.parametrize("path", clips("hmdb51"), ids=lambda path: path.stem[:12])
def test_the_trap_is_still_there(path: Path) -> None:
    """When this fails, decord seeks correctly in AVI and need not be kept from it."""
    truth = in_order(path)
    reader = decord.VideoReader(str(path), num_threads=1)
    backwards = range(len(truth) - 1, -1, -1)
    assert len(reader) == len(truth) + 1
    assert any(not np.array_equal(reader[i].asnumpy(), truth[i]) for i in backwards)


@needs_real_data
@pytest.mark.parametrize("path", clips("hmdb51") + clips("ucf101"), ids=lambda path: path.name[:9])
def test_resized_frames_do_not_depend_on_the_backend(path: Path, backend: Backend) -> None:
    native = ClipReader(size=None, backend=backend)(path)
    assert np.array_equal(ClipReader(size=112, backend=backend)(path), resize(native, 112))
    assert np.array_equal(native, ClipReader(size=None, backend="pyav")(path))


def test_a_missing_backend_names_its_extra() -> None:
    try:
        import_module("torchcodec.decoders")
    except (ImportError, RuntimeError, OSError):
        with pytest.raises(ImportError, match=r"blackbox-anon\[torchcodec\]"):
            ClipReader(backend="torchcodec")
    else:
        assert ClipReader(backend="torchcodec").backend == "torchcodec"


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match=r"backend: expected one of .* found 'opencv'"):
        ClipReader(backend="opencv")  # type: ignore[arg-type]  # what a config could say
    with pytest.raises(ValueError, match="time_limit: expected a positive number, found 0"):
        ClipReader(time_limit=0)
    with pytest.raises(ValueError, match="size: expected a positive number"):
        ClipReader(size=0)
    with pytest.raises(ValueError, match="crop: expected 'center' or 'stretch'"):
        ClipReader(crop="left")  # type: ignore[arg-type]  # what a config could say


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg program")
def test_the_library_is_as_good_a_reference(tmp_path: Path) -> None:
    from tests.decoding.reference import by_library, by_program

    path = write(tmp_path / "clip.avi", pictures(20), b_frames=2)
    assert np.array_equal(by_library(path), by_program(path))
