"""A fake UCF101: three classes, one of which has no clip; one clip is cut off."""

from pathlib import Path

import av
import numpy as np

CLASSES = ("ApplyEyeMakeup", "HandstandPushups", "Archery")  # not alphabetical, as the official
TRAIN = (
    ("ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi", 20),
    ("HandstandPushups/v_HandStandPushups_g08_c01.avi", 12),
    ("ApplyEyeMakeup/v_ApplyEyeMakeup_g09_c01.avi", 5),
)
TEST = (
    ("ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi", 16),
    ("HandstandPushups/v_HandStandPushups_g01_c01.avi", 16),
)
TRUNCATED = "HandstandPushups/v_HandStandPushups_g01_c01.avi"  # test: cut within its header


def make(root: Path) -> Path:
    lists = root / "ucfTrainTestlist"
    lists.mkdir(parents=True)
    _write(lists / "classInd.txt", [f"{i} {name}" for i, name in enumerate(CLASSES, start=1)])
    for split in ("01", "02", "03"):
        labelled = [f"{name} {CLASSES.index(name.split('/')[0]) + 1}" for name, _ in TRAIN]
        _write(lists / f"trainlist{split}.txt", labelled)
        _write(lists / f"testlist{split}.txt", [name for name, _ in TEST])
    for seed, (name, num_frames) in enumerate((*TRAIN, *TEST)):
        write_avi(root / "UCF-101" / name, num_frames, seed=seed)
    cut = root / "UCF-101" / TRUNCATED
    cut.write_bytes(cut.read_bytes()[:200])
    return root


def write_avi(
    path: Path, num_frames: int, *, seed: int = 0, b_frames: int = 0, width: int = 64
) -> None:
    """An MPEG-4 part 2 AVI; frame ``i`` has a bright column at ``i``, so frames differ."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 120, (48, width, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25, options={"qscale": "2"})
        stream.width, stream.height, stream.pix_fmt = width, 48, "yuv420p"
        stream.codec_context.max_b_frames = b_frames
        for i in range(num_frames):
            image = noise.copy()
            image[:, 2 * i % width : 2 * i % width + 4] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def _write(file: Path, lines: list[str]) -> None:
    file.write_bytes("".join(f"{line}\r\n" for line in lines).encode())
