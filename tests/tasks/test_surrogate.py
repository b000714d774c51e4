"""A local model learns the task from raw clips."""

import copy
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn

from blackbox_anon.estimators import SPSA, SurrogateGuided
from blackbox_anon.scorers import (
    AbstractScorer,
    CharacterNGramEncoder,
    LogprobScorer,
    RetrievalScorer,
)
from blackbox_anon.surrogates import ClipSurrogate
from blackbox_anon.tasks import SurrogateTask
from blackbox_anon.world import PeopleWorldDataModule
from blackbox_anon.world.training import surrogate as shipping
from tests.tasks.parts import make_data, make_task, make_trainer

CLASSES = 10


def make(width: int = 4, share: float = 0.25, seed: int = 0) -> SurrogateTask:
    torch.manual_seed(seed)
    return SurrogateTask(ClipSurrogate(CLASSES, width=width), distorted_share=share, seed=seed)


def trainer(folder: Path, steps: int, *callbacks: Callback, logged: bool = False) -> Trainer:
    return Trainer(
        callbacks=list(callbacks),
        max_steps=steps,
        accelerator="cpu",
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=logged,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


def data(batch_size: int = 4, clips: int = 8) -> PeopleWorldDataModule:
    return PeopleWorldDataModule(
        train_clips=clips, val_clips=6, batch_size=batch_size, privacy_batch_size=1, world_seed=3
    )


class Keep(Callback):
    """Keeps the weights after each step."""

    def __init__(self) -> None:
        self.weights: list[torch.Tensor] = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: object, **kwargs: object
    ) -> None:
        del trainer, args, kwargs
        self.weights.append(nn.utils.parameters_to_vector(pl_module.parameters()).detach().clone())


def test_it_learns_a_few_clips_by_heart(tmp_path: Path) -> None:
    task, few = make(width=8, share=0.0), data(batch_size=8)
    fit = trainer(tmp_path, 60)
    fit.limit_val_batches = 0
    fit.fit(task, few)
    world = few.worlds["train"]
    clips = torch.stack([world[i]["frames"] for i in range(8)])  # type: ignore[misc]
    labels = torch.stack([world[i]["label"] for i in range(8)])  # type: ignore[misc]
    assert (task.eval()(clips).argmax(1) == labels).float().mean() > 0.7


def test_validation_is_on_raw_clips_of_the_utility_set(tmp_path: Path) -> None:
    task, few = make(), data()
    found, _ = trainer(tmp_path, 1).validate(task, few, verbose=False)
    world = few.worlds["val"]
    clips = torch.stack([world[i]["frames"] for i in range(6)])  # type: ignore[misc]
    labels = torch.stack([world[i]["label"] for i in range(6)])  # type: ignore[misc]
    assert found == {"val/top1": float((task.eval()(clips).argmax(1) == labels).float().mean())}


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    runs = []
    for seed in (0, 0, 1):
        kept = Keep()
        task = make()
        task.seed = seed
        trainer(tmp_path, 2, kept).fit(task, data())
        runs.append(kept.weights[-1])
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])  # clips were varied in another way


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> SurrogateTask:
    task, fit = make(), trainer(tmp_path_factory.mktemp("fit"), 1)
    fit.limit_val_batches = 0
    fit.fit(task, data())
    return task


@pytest.mark.parametrize("size", [(16, 16), (17, 15)])
@pytest.mark.parametrize("frames", [None, 3])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_clips_are_varied_within_their_range(
    size: tuple[int, int], frames: int | None, share: float, fitted: SurrogateTask
) -> None:
    task = fitted
    task.distorted_share = share
    clips = torch.rand(4, *([] if frames is None else [frames]), 3, *size)
    varied = task.vary(clips)
    assert varied.shape == clips.shape
    assert not torch.equal(varied, clips)
    assert 0 <= float(varied.min()) <= float(varied.max()) <= 1
    assert torch.equal(varied, task.vary(clips))


def test_data_of_other_classes_are_refused(tmp_path: Path) -> None:
    task = SurrogateTask(ClipSurrogate(7, width=4))
    with pytest.raises(ValueError, match="`surrogate` must know the data's 10 classes; found one"):
        trainer(tmp_path, 1).fit(task, data())


@pytest.mark.parametrize("chosen", [{"distorted_share": 1.5}, {"seed": -1}])
def test_arguments_are_checked(chosen: dict[str, float]) -> None:
    (name,) = chosen
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        SurrogateTask(ClipSurrogate(3, width=4), **chosen)  # type: ignore[arg-type]


def test_its_checkpoint_is_a_surrogates_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is shipped is made of it."""
    torch.manual_seed(0)
    task = SurrogateTask(ClipSurrogate(CLASSES))
    fit = trainer(tmp_path, 1, logged=True)
    fit.fit(task, data(batch_size=2))
    fit.save_checkpoint(tmp_path / "mine.ckpt")
    again = ClipSurrogate(CLASSES, weights=str(tmp_path / "mine.ckpt"))
    torch.testing.assert_close(again.state_dict(), task.surrogate.state_dict())
    arguments = ["", "--checkpoint", str(tmp_path / "mine.ckpt"), "--out", str(tmp_path)]
    monkeypatch.setattr("sys.argv", arguments)
    shipping.main()
    shipped = ClipSurrogate(CLASSES, weights=str(tmp_path / "surrogate.safetensors"))
    torch.testing.assert_close(shipped.state_dict(), again.state_dict(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("scorer", [LogprobScorer(), RetrievalScorer(CharacterNGramEncoder())])
def test_a_task_of_classes_tells_a_surrogate_what_is_asked(
    scorer: AbstractScorer, tmp_path: Path
) -> None:
    guided = SurrogateGuided(SPSA(0.05), ClipSurrogate(CLASSES, width=4))
    task = make_task(scorer=scorer, estimator=guided)
    before = copy.deepcopy(guided.surrogate.state_dict())
    make_trainer(tmp_path).fit(task, make_data())
    assert task.scalars["train/surrogate_norm"] > 0
    assert task.scalars["train/surrogate_misfit"] > 0
    assert not torch.equal(guided.surrogate.state_dict()["head.weight"], before["head.weight"])


def test_without_classes_there_is_no_surrogate() -> None:
    task = make_task(estimator=SPSA(0.05))
    batch = {"frames": torch.rand(2, 2, 3, 32, 32), "question": ["?", "?"], "name": ["a", "b"]}
    assert task.asked(batch) is None  # type: ignore[arg-type]  # a batch of questions
