from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from blackbox_anon.callbacks import AnonymizedWriter
from blackbox_anon.callbacks.prediction_writer import safe_path
from blackbox_anon.datasets import read_clip, read_image

NAMES = [
    "wave/#20_!&;(1).avi",
    "wave/#20_!&_(1).avi",
    "wave/clip.avi",
    "wave/clip.mov",
    "wave/clip.mp4",
    "wave/clip.avi.mp4",
    "波/über uns.mp4",
    "../../etc/passwd",
    "/absolute/x",
    "long" * 100,
    "test/3",
    "..",
]


class Names(Dataset[dict[str, Any]]):
    def __init__(self, names: list[str], shape: tuple[int, ...]) -> None:
        self.names = names
        self.shape = shape

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"frames": torch.full(self.shape, 0.01 * index), "name": self.names[index]}


class Invert(LightningModule):
    def predict_step(
        self, batch: dict[str, Any], batch_idx: int, dataloader_idx: int = 0
    ) -> dict[str, Any]:
        del batch_idx, dataloader_idx
        frames: Tensor = 1 - batch["frames"]
        return {"frames": frames.bfloat16(), "name": batch["name"]}


def predict(writer: AnonymizedWriter, *datasets: Names) -> None:
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[writer],
    )
    loaders = [DataLoader(dataset, batch_size=3) for dataset in datasets]
    trainer.predict(Invert(), loaders, return_predictions=False)


def files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def test_one_mp4_per_clip_and_one_png_per_image(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = AnonymizedWriter(str(tmp_path / "out"), fps=5)
    with caplog.at_level("INFO"):
        predict(writer, Names(NAMES, (4, 3, 33, 48)), Names(["a.jpg", "b/a.jpg"], (3, 17, 20)))
    written = list(files(tmp_path))
    assert all(path.is_relative_to(tmp_path / "out") for path in written)
    clips = [path for path in written if path.suffix == ".mp4"]
    assert len(clips) == len(NAMES)
    assert all(read_clip(path, 4, None).shape == (4, 3, 34, 48) for path in clips)
    assert [p.relative_to(tmp_path / "out").as_posix() for p in written if p not in clips] == [
        "a.jpg.png",
        "b/a.jpg.png",
    ]
    assert read_image(tmp_path / "out" / "a.jpg.png", None).eq(255).all()
    assert f"Wrote {len(NAMES) + 2} anonymized files to {tmp_path / 'out'}" in caplog.text


def test_a_second_run_replaces_and_a_repeated_name_does_not(tmp_path: Path) -> None:
    writer = AnonymizedWriter(str(tmp_path))
    predict(writer, Names(["b", "a", "a"], (3, 8, 8)))
    assert read_image(tmp_path / "a.png", None).max() == 252  # index 1 (0.99 in bfloat16), not 2
    predict(writer, Names(["a"], (3, 8, 8)))
    assert read_image(tmp_path / "a.png", None).min() == 255
    assert [path.name for path in files(tmp_path)] == ["a.png", "b.png"]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_safe(name: str) -> None:
    path = safe_path(name, ".mp4")
    assert not path.is_absolute()
    assert ".." not in path.parts
    assert all(len(part.encode()) <= 255 for part in path.parts)
    assert not set("#!&; ()") & set(str(path))


def test_distinct_names_keep_distinct_paths() -> None:
    paths = [safe_path(name, ".mp4") for name in NAMES if name != "wave/clip.avi.mp4"]
    assert len(set(paths)) == len(paths)


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fps"):
        AnonymizedWriter(str(tmp_path), fps=0)
    prediction = {"frames": torch.zeros(2, 3, 8, 8), "name": ["a"]}
    with pytest.raises(ValueError, match="expected 2 names, found 1"):
        AnonymizedWriter(str(tmp_path)).write_on_batch_end(
            Trainer(logger=False, accelerator="cpu"), Invert(), prediction, None, None, 0, 0
        )
