"""How fast does our loader deliver frames, compared with the bare decoder in the same workers?

Both run in a ``DataLoader`` with the same workers, on the same files, over and over, in turns:
``bare`` opens each file with decord, takes 8 uniform frames and resizes them as we do, with no
check of anything (its frames are wrong for most of HMDB51); ``ours`` is :class:`ClipReader`;
``cached`` is the same with a warm frame cache. ``bare, native`` and ``ours, native`` leave out the
resize. The bar: ours delivers at least 0.9 of bare's frames per second.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import decord
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from blackbox_anon.decoding import ClipReader, UniformSampling, resize

BAR = 0.9
SUFFIXES = {".avi", ".mp4"}

Read = Callable[[Path], Tensor]


def bare(path: Path, size: int | None) -> Tensor:
    """Decord and a resize, nothing else."""
    reader = decord.VideoReader(str(path), num_threads=1)
    frames = reader.get_batch(UniformSampling(8).indices(len(reader))).asnumpy()
    return resize(torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous(), size)


class Repeated(Dataset[Tensor]):
    """The files, ``times`` over."""

    def __init__(self, files: list[Path], read: Read, times: int) -> None:
        self.files, self.read, self.times = files, read, times

    def __len__(self) -> int:
        return self.times * len(self.files)

    def __getitem__(self, index: int) -> Tensor:
        return self.read(self.files[index % len(self.files)])


def loader(files: list[Path], read: Read, times: int, workers: int) -> DataLoader[Any]:
    return DataLoader(
        Repeated(files, read, times), batch_size=None, num_workers=workers, persistent_workers=True
    )


def frames_per_second(loading: DataLoader[Any]) -> float:
    start = time.perf_counter()
    frames = sum(len(clip) for clip in loading)
    return frames / (time.perf_counter() - start)


def measure(files: list[Path], *, times: int, rounds: int, workers: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as cache:
        readers: dict[str, Read] = {
            "bare": partial(bare, size=224),
            "ours": ClipReader(),
            "bare, native": partial(bare, size=None),
            "ours, native": ClipReader(size=None),
            "cached": ClipReader(cache=cache),
        }
        loaders = {name: loader(files, read, times, workers) for name, read in readers.items()}
        for loading in loaders.values():
            frames_per_second(loading)  # workers start, the cache fills
        speeds: dict[str, list[float]] = {name: [] for name in loaders}
        for _ in range(rounds):
            for name, loading in loaders.items():
                speeds[name].append(frames_per_second(loading))
    return {name: statistics.median(values) for name, values in speeds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", type=Path, nargs="+", help="files, or folders of .avi and .mp4")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--times", type=int, default=20, help="passes over the files per round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    args = parser.parse_args()
    files = sorted(
        file
        for path in args.videos
        for file in ([path] if path.is_file() else path.rglob("*"))
        if file.suffix.lower() in SUFFIXES
    )
    speeds = measure(files, times=args.times, rounds=args.rounds, workers=args.workers)
    ratios = {
        "ours / bare": speeds["ours"] / speeds["bare"],
        "ours / bare, native": speeds["ours, native"] / speeds["bare, native"],
        "cached / bare": speeds["cached"] / speeds["bare"],
    }
    for name, speed in speeds.items():
        print(f"{name:20} {speed:8.0f} frames/s")
    for name, ratio in ratios.items():
        print(f"{name:20} {ratio:8.2f}")
    print(f"bar {BAR}: {'met' if ratios['ours / bare'] >= BAR else 'not met'}")
    if args.json:
        args.json.write_text(json.dumps({"files": len(files), **speeds, **ratios}, indent=2))


if __name__ == "__main__":
    main()
