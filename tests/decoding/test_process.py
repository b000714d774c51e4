import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from blackbox_anon.datasets import SkipUnreadable, collate
from blackbox_anon.decoders import DECODERS, Backend
from blackbox_anon.decoding import AbstractSampling, ClipReader, UnreadableFileError
from tests.decoding.broken import BROKEN
from tests.decoding.media import pictures, write
from tests.decoding.stand_ins import FaultyDecoder

SEEKABLE = 40  # frames, each a keyframe: random access pays
LEAK_LIMIT_MB = 20.0
LIMIT_S = 3.0  # a good file takes milliseconds, also on a busy machine


class Clips(Dataset[dict[str, Any]]):
    """A folder of clips through one reader."""

    def __init__(self, files: list[Path], reader: ClipReader) -> None:
        self.files = files
        self.reader = reader

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"frames": self.reader(self.files[index]), "name": self.files[index].name}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write(tmp_path / "good.avi", pictures(SEEKABLE), keyframes=1)


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> ClipReader:
    monkeypatch.setitem(DECODERS, "pyav", FaultyDecoder)
    return ClipReader(size=32, backend="pyav", time_limit=LIMIT_S)


def copies(clip: Path, *names: str) -> list[Path]:
    return [
        clip.with_name(f"{name}.avi")
        for name in names
        if clip.with_name(f"{name}.avi").write_bytes(clip.read_bytes())
    ]


def test_a_hang_in_c_costs_one_file(clip: Path, faulty: ClipReader) -> None:
    expected = faulty(clip)
    (hangs,) = copies(clip, "hangs")
    started = time.monotonic()
    with pytest.raises(UnreadableFileError, match=r"hangs\.avi: .*time limit of 3 s"):
        faulty(hangs)
    assert time.monotonic() - started < 10 * LIMIT_S
    assert torch.equal(faulty(clip), expected)


@pytest.mark.parametrize(("name", "how"), [("crashes", "SIGSEGV"), ("aborts", "SIGABRT")])
def test_a_crash_costs_one_file(clip: Path, faulty: ClipReader, name: str, how: str) -> None:
    (bad,) = copies(clip, name)
    with pytest.raises(UnreadableFileError, match=f"{name}.avi: the decoder crashed: {how}"):
        faulty(bad)
    assert faulty(clip).shape == (8, 3, 32, 32)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_outlive_hangs_and_crashes(clip: Path, faulty: ClipReader, start: str) -> None:
    files = [*copies(clip, "a", "hangs", "b", "crashes", "c", "aborts"), clip]
    faulty(clip)  # a process of the parent's own, which forked workers must leave alone
    loader: DataLoader[Any] = DataLoader(
        SkipUnreadable(Clips(files, faulty)),
        batch_size=1,
        num_workers=2 if start == "fork" else 1,
        collate_fn=collate,
        multiprocessing_context=start,
    )
    batches = list(loader)
    assert len(batches) == len(files)
    named = {Path(path).stem for batch in batches for path in batch["unreadable"]}
    assert named == {"hangs", "crashes", "aborts"}
    assert faulty(clip).shape == (8, 3, 32, 32)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_read_what_the_parent_reads(tmp_path: Path, start: str) -> None:
    files = [write(tmp_path / f"{i}.avi", pictures(20, seed=i), b_frames=i % 3) for i in range(6)]
    clips = Clips(files, ClipReader(size=48))
    expected = [clips[i]["frames"] for i in range(len(files))]
    loader: DataLoader[Any] = DataLoader(
        clips, batch_size=None, num_workers=2, multiprocessing_context=start
    )
    assert all(torch.equal(a, b["frames"]) for a, b in zip(expected, loader, strict=True))


def test_in_this_process_and_beside_it(clip: Path) -> None:
    assert torch.equal(ClipReader()(clip), ClipReader(time_limit=math.inf)(clip))
    assert ClipReader(time_limit=math.inf).count(clip) == ClipReader().count(clip) == SEEKABLE


def test_a_process_killed_while_idle_is_no_files_fault(clip: Path, faulty: ClipReader) -> None:
    expected = faulty(clip)
    for child in children():
        os.kill(child, signal.SIGKILL)
    time.sleep(0.2)
    assert torch.equal(faulty(clip), expected)


class Unwilling(AbstractSampling):
    """A rule with a mistake in it."""

    def indices(self, num_frames: int) -> list[int]:
        raise KeyError(num_frames)


def test_a_mistake_in_the_rule_is_not_the_files_fault(clip: Path) -> None:
    with pytest.raises(KeyError):
        ClipReader(Unwilling())(clip)
    assert ClipReader(size=8)(clip).shape == (8, 3, 8, 8)


def test_the_process_ends_with_its_user(clip: Path) -> None:
    code = (
        "import os, sys\n"
        "from blackbox_anon.decoding import ClipReader\n"
        "from tests.decoding.test_process import children\n"
        "ClipReader(size=8)(sys.argv[1])\n"
        "print(*children(), flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(clip)], capture_output=True, text=True)
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 1, done.stderr
    waited = time.monotonic() + 10
    while Path(f"/proc/{pids[0]}").exists() and time.monotonic() < waited:
        time.sleep(0.05)
    assert not Path(f"/proc/{pids[0]}").exists()


def test_the_decoding_process_imports_no_torch() -> None:
    code = "import sys, blackbox_anon.decoders.serve as s; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    "opens", [120, pytest.param(2000, marks=pytest.mark.slow)], ids=["quick", "full"]
)
@pytest.mark.parametrize("backend", ["decord", "pyav"])
def test_memory_does_not_grow(tmp_path: Path, backend: Backend, opens: int) -> None:
    files = [
        write(tmp_path / "seeks.avi", pictures(SEEKABLE, width=160), keyframes=1),
        write(tmp_path / "in_order.avi", pictures(20), b_frames=2),
        write(tmp_path / "turned.mp4", pictures(4), degrees=90),
        *(tmp_path / name for name in ("cut_50.avi", "text.mp4", "sound.mp4", "scratched.avi")),
    ]
    for path in files[3:]:
        BROKEN[path.name][0](path)
    reader = ClipReader(size=32, backend=backend)
    for path in files * 8:
        read_or_not(reader, path)
    before, descriptors = resident_mb(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for i in range(opens):
        read_or_not(reader, files[i % len(files)])
    grown = resident_mb() - before
    assert grown < LEAK_LIMIT_MB, f"{grown:.1f} MB over {opens} opens"
    assert len(os.listdir("/proc/self/fd")) == descriptors  # noqa: PTH208


def read_or_not(reader: ClipReader, path: Path) -> Tensor | None:
    try:
        return reader(path)
    except UnreadableFileError:
        return None


def children() -> list[int]:
    """Decoding processes of this process."""
    listed = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in listed}
    return [pid for pid, command in commands.items() if b"decoders.serve" in command]


def resident_mb() -> float:
    """Memory of this process and of those that decode for it."""
    pages = [
        int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in [os.getpid(), *children()]
    ]
    return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20
