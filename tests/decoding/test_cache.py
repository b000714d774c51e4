import os
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch

from blackbox_anon.decoding import ClipReader, StridedSampling, UniformSampling, UnreadableFileError
from blackbox_anon.decoding.cache import FrameCache, read_entry, write_entry
from tests.decoding.media import pictures, write


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write(tmp_path / "clip.avi", pictures(20))


def entries(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def test_a_hit_is_the_clip_and_is_not_decoded(clip: Path, tmp_path: Path) -> None:
    reader = ClipReader(size=32, cache=tmp_path / "cache")
    first = reader(clip)
    assert torch.equal(first, ClipReader(size=32)(clip))
    size, stamp = clip.stat().st_size, clip.stat().st_mtime_ns
    clip.write_bytes(bytes(size))  # unreadable now, with nothing to tell it by
    os.utime(clip, ns=(stamp, stamp))
    assert torch.equal(reader(clip), first)
    assert len(entries(tmp_path / "cache")) == 1


def test_a_changed_file_is_decoded_again(clip: Path, tmp_path: Path) -> None:
    reader = ClipReader(size=32, cache=tmp_path / "cache")
    first = reader(clip)
    write(clip, pictures(20, seed=1))
    os.utime(clip, ns=(1, 1))
    assert not torch.equal(reader(clip), first)
    assert torch.equal(reader(clip), ClipReader(size=32)(clip))


def test_settings_do_not_share_entries(clip: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    readers = [
        ClipReader(size=32, cache=cache),
        ClipReader(size=16, cache=cache),
        ClipReader(size=32, crop="stretch", cache=cache),
        ClipReader(UniformSampling(4), 32, cache=cache),
        ClipReader(StridedSampling(8, 2), 32, cache=cache),
        ClipReader(size=32, strict=False, cache=cache),
    ]
    for reader in readers:
        reader(clip)
    assert len(entries(cache)) == len(readers)
    ClipReader(size=32, backend="pyav", cache=cache)(clip)  # frames do not depend on the backend
    assert len(entries(cache)) == len(readers)


@pytest.mark.parametrize("damage", ["flip", "shape", "cut", "empty", "text"])
def test_a_damaged_entry_is_replaced(clip: Path, tmp_path: Path, damage: str) -> None:
    reader = ClipReader(size=32, cache=tmp_path / "cache")
    expected = reader(clip).clone()
    (entry,) = entries(tmp_path / "cache")
    whole = bytearray(entry.read_bytes())
    flipped = bytes([*whole[:-9], whole[-9] ^ 1, *whole[-8:]])
    contents = {
        "flip": flipped,
        "shape": bytes([*whole[:8], whole[8] ^ 1, *whole[9:]]),
        "cut": bytes(whole[:-100]),
        "empty": b"",
        "text": b"no frames",
    }
    entry.write_bytes(contents[damage])
    assert read_entry(entry) is None
    assert torch.equal(reader(clip), expected)
    assert entry.read_bytes() == whole


def test_writing_into_a_hit_leaves_the_entry_alone(clip: Path, tmp_path: Path) -> None:
    reader = ClipReader(size=32, cache=tmp_path / "cache")
    expected = reader(clip).clone()
    reader(clip).zero_()
    assert torch.equal(reader(clip), expected)


def test_an_unreadable_file_leaves_no_entry(tmp_path: Path) -> None:
    (tmp_path / "bad.avi").write_bytes(b"")
    reader = ClipReader(cache=tmp_path / "cache")
    for name in ("bad.avi", "missing.avi"):
        with pytest.raises(UnreadableFileError, match=name):
            reader(tmp_path / name)
    assert entries(tmp_path) == [tmp_path / "bad.avi"]


def write_often(root: Path, value: int) -> None:
    frames = np.full((2, 3, 64, 64), value, np.uint8)
    for _ in range(50):
        write_entry(root / "entry", frames)


def test_processes_that_write_one_entry_leave_it_whole(tmp_path: Path) -> None:
    writers = [get_context("fork").Process(target=write_often, args=(tmp_path, i)) for i in (3, 7)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        frames = read_entry(tmp_path / "entry")
        assert frames is None or frames.min() == frames.max()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert entries(tmp_path) == [tmp_path / "entry"]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    (tmp_path / "clip.avi").write_bytes(b"")
    with pytest.raises(OSError, match="No space"):
        FrameCache(tmp_path / "cache", "").get(
            str(tmp_path / "clip.avi"), lambda: np.zeros((1, 3, 2, 2), np.uint8)
        )
    assert entries(tmp_path / "cache") == []
