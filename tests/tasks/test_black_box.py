import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

from blackbox_anon.estimators import SPSA, CriticalHistorySPSA, OutputSpaceSPSA
from blackbox_anon.scalarizations import Scalarized
from blackbox_anon.tasks import ActionRecognition
from blackbox_anon.tasks.guards import refuse_unsupported
from blackbox_anon.tasks.parameters import call_with, flatten
from blackbox_anon.types import PairBatch
from tests.mllms_fakes import ConstantMLLM
from tests.tasks.parts import B, RecordingMLLM, make_data, make_parts, make_task, make_trainer


class Steps(Callback):
    """What every step began with, handed to the scalarization, and left."""

    def __init__(self, task: ActionRecognition) -> None:
        self.before: list[Tensor] = []
        self.after: list[Tensor] = []
        self.combined: list[tuple[Tensor, Tensor, Scalarized]] = []
        self.privacy_gradients: list[Tensor] = []
        self.logs: list[dict[str, float]] = []
        self.task = task
        task.scalarization.register_forward_hook(self._combine)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: PairBatch, batch_idx: int
    ) -> None:
        del trainer, pl_module, batch_idx
        self.frames = batch["privacy"]["frames"]
        self.before.append(flatten(self.task.trained))

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: PairBatch,
        batch_idx: int,
    ) -> None:
        del trainer, pl_module, outputs, batch, batch_idx
        self.after.append(flatten(self.task.trained))
        self.logs.append({k: float(v) for k, v in self.task.scalars.items()})

    def _combine(self, _: nn.Module, args: tuple[Tensor, Tensor], out: Scalarized) -> None:
        self.combined.append((args[0].clone(), args[1].clone(), out))
        task = self.task
        anonymizer, reviewer = copy.deepcopy((task.anonymizer, task.reviewer))
        trained = list(anonymizer.trained.parameters())
        loss = reviewer.privacy_loss(anonymizer(self.frames))
        self.privacy_gradients.append(flatten(torch.autograd.grad(loss, trained)))


def fit(task: ActionRecognition, folder: Path, **kwargs: Any) -> Steps:  # noqa: ANN401  # the trainer's own
    steps = Steps(task)
    make_trainer(folder, callbacks=[steps], **kwargs).fit(task, make_data())
    return steps


@pytest.mark.parametrize(
    "estimator", [lambda: SPSA(0.05), lambda: CriticalHistorySPSA(0.05), OutputSpaceSPSA]
)
def test_a_step_costs_one_call_of_two_queries_a_sample(
    estimator: type[OutputSpaceSPSA], tmp_path: Path
) -> None:
    mllm = RecordingMLLM()
    task = make_task(mllm, estimator=estimator())
    fit(task, tmp_path)
    assert [len(frames) for frames, _ in mllm.asked] == [2 * B] * 3
    assert task.queries == mllm.queries == 3 * 2 * B
    assert task.steps == 3
    assert task.evaluation_queries == 0


def test_the_black_box_receives_8_bit_images_and_the_same_questions_twice(tmp_path: Path) -> None:
    mllm = RecordingMLLM()
    # A radius below rounding: both halves must be the same samples in the same order, bit for bit.
    fit(make_task(mllm, estimator=SPSA(1e-9)), tmp_path)
    for frames, prompts in mllm.asked:
        assert frames.dtype == torch.uint8
        assert prompts == ["What is the person doing?"] * 2 * B
        first, second = frames.chunk(2)
        assert torch.equal(first, second)
        assert not torch.equal(first[0], first[1])


def test_the_black_box_enters_no_checkpoint(tmp_path: Path) -> None:
    task = make_task()
    trainer = make_trainer(tmp_path)
    trainer.fit(task, make_data())
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    names = [*task.state_dict(), *dict(task.named_parameters()), *dict(task.named_modules())]
    assert not [name for name in names if "mllm" in name]
    saved = (tmp_path / "run.ckpt").read_bytes()
    assert b"RecordingMLLM" not in saved
    loaded = torch.load(tmp_path / "run.ckpt", weights_only=True)
    assert not [name for name in loaded["state_dict"] if "mllm" in name]


def test_nothing_outside_the_light_decoder_and_the_reviewer_changes(tmp_path: Path) -> None:
    task = make_task()
    before = {k: v.clone() for k, v in task.anonymizer.state_dict().items()}
    fit(task, tmp_path)
    changed = {k for k, v in task.anonymizer.state_dict().items() if not torch.equal(v, before[k])}
    assert changed
    assert all(name.startswith("decoder.") for name in changed)


def test_three_steps_against_numpy(tmp_path: Path) -> None:
    task = make_task()
    steps = fit(task, tmp_path)
    best = np.full(2, np.inf)
    for k in (1, 2, 3):
        values, gradients, _ = steps.combined[k - 1]
        f, g = values.double().numpy(), gradients.double().numpy()
        best = np.minimum(best, f)
        distance = 0.5 * np.abs(f - (best - 0.1 * np.abs(best)))
        active = int(distance.argmax())
        combined = 0.5 * g[active] + 1e-4 * 0.5 * g.sum(0)
        a_k = 0.5 / k**0.4
        expected = steps.before[k - 1].double().numpy() - a_k * combined
        np.testing.assert_allclose(steps.after[k - 1].numpy(), expected, rtol=1e-4, atol=1e-6)
        assert steps.logs[k - 1]["train/step_size"] == pytest.approx(a_k)
        assert steps.logs[k - 1]["train/active"] == active
        torch.testing.assert_close(gradients[1], steps.privacy_gradients[k - 1])


def test_the_problem_is_the_anonymizer_and_the_black_box(tmp_path: Path) -> None:
    mllm = RecordingMLLM()
    task, data = make_task(mllm), make_data()
    make_trainer(tmp_path).fit(task, data)
    batch = next(iter(data.val_dataloader()[0]))
    posed = task.problem(batch)
    frames = posed.anonymize(flatten(task.trained))
    torch.testing.assert_close(frames, task(batch["frames"]))
    logits = mllm.logits((frames.detach() * 255).round() / 255)
    expected = nn.functional.cross_entropy(logits, batch["label"], reduction="none")
    torch.testing.assert_close(posed.losses(frames), expected.float(), rtol=1e-4, atol=1e-4)
    twice = posed.losses(torch.cat([frames, frames]))
    torch.testing.assert_close(twice, posed.losses(frames).repeat(2))


def test_scales_multiply_the_gradients(tmp_path: Path) -> None:
    plain = fit(make_task(), tmp_path).combined[0]
    scaled = fit(make_task(gradient_scales=(2.0, 3.0)), tmp_path).combined[0]
    torch.testing.assert_close(scaled[1][0], 2 * plain[1][0])
    torch.testing.assert_close(scaled[1][1], 3 * plain[1][1])
    assert torch.equal(scaled[0], plain[0])


def test_a_bound_shortens_the_step_and_keeps_its_direction(tmp_path: Path) -> None:
    free = fit(make_task(), tmp_path)
    bound = fit(make_task(max_step_norm=1e-3), tmp_path)
    step = [s.after[0] - s.before[0] for s in (free, bound)]
    assert step[0].norm() > 1e-3
    assert step[1].norm().item() == pytest.approx(1e-3, rel=1e-3)
    assert torch.cosine_similarity(step[0], step[1], dim=0) > 0.9999
    wide = fit(make_task(max_step_norm=1e3), tmp_path)
    torch.testing.assert_close(wide.after[0], free.after[0])


def test_optimizers_step_once_per_batch_each(tmp_path: Path) -> None:
    task, trainer = make_task(reviewer_steps=2), make_trainer(tmp_path)
    trainer.fit(task, make_data())
    assert trainer.global_step == 3 * (1 + 2)


def test_reviewer_learns_unless_told_not_to(tmp_path: Path) -> None:
    for count in (0, 1):
        task = make_task(reviewer_steps=count)
        before = flatten(list(task.reviewer.parameters()))
        fit(task, tmp_path)
        assert torch.equal(before, flatten(list(task.reviewer.parameters()))) == (count == 0)


def test_reviewer_restarts_on_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = make_task(reviewer_restart_every=1)
    generations: list[int] = []
    monkeypatch.setattr(task.reviewer, "restart", generations.append)
    fit(task, tmp_path)
    assert generations == [1, 2, 3]


def test_a_constant_black_box_gives_no_utility_gradient(tmp_path: Path) -> None:
    steps = fit(make_task(ConstantMLLM("jump")), tmp_path)
    assert not any(gradients[0].any() for _, gradients, _ in steps.combined)
    assert steps.logs[-1]["train/dead_pairs"] == 3


@pytest.mark.parametrize("precision", ["bf16-mixed", "32-true"])
def test_precision_runs(precision: str, tmp_path: Path) -> None:
    steps = fit(make_task(), tmp_path, precision=precision)
    assert all(gradients.dtype == torch.float32 for _, gradients, _ in steps.combined)
    assert steps.combined[0][1][0].any()
    assert not torch.equal(steps.before[0], steps.after[-1])


def test_16_mixed_is_refused() -> None:
    trainer = SimpleNamespace(precision="16-mixed")
    with pytest.raises(MisconfigurationException, match="bf16-mixed"):
        refuse_unsupported(trainer)  # type: ignore[arg-type]  # a Trainer on a CPU swaps it for bf16


def test_setup_asks_the_guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer(tmp_path)
    monkeypatch.setattr(type(trainer), "precision", "16-mixed")
    with pytest.raises(MisconfigurationException, match="32-true or bf16-mixed; found 16-mixed"):
        trainer.fit(make_task(), make_data())


def test_validation_and_test_count_their_queries_apart(tmp_path: Path) -> None:
    task, data = make_task(), make_data()
    trainer = make_trainer(tmp_path, limit_val_batches=1.0)
    before = {k: v.clone() for k, v in task.state_dict().items() if "evaluation" not in k}
    [utility, privacy] = trainer.validate(task, data, verbose=False)
    assert "val/utility_loss" in utility
    assert 0 <= utility["val/utility_score"] <= 1
    assert "val/reviewer_cmap_ap" in privacy
    trainer.test(task, data, verbose=False)
    assert task.evaluation_queries == 4
    assert task.queries == 0
    for name, tensor in before.items():
        assert torch.equal(tensor, task.state_dict()[name]), name


def test_predictions_are_named_frames_in_range(tmp_path: Path) -> None:
    [predicted] = make_trainer(tmp_path).predict(make_task(), make_data())  # type: ignore[misc]  # one batch
    assert predicted["frames"].shape == (2, 2, 3, 32, 32)  # type: ignore[call-overload]
    assert predicted["name"] == ["test/000000", "test/000001"]  # type: ignore[call-overload]


def test_attributes_must_agree_with_the_data(tmp_path: Path) -> None:
    task = make_task()
    task.reviewer.num_attributes = 3
    with pytest.raises(ValueError, match=r"`reviewer.num_attributes` must be the data's \(7\)"):
        make_trainer(tmp_path).fit(task, make_data())


def test_a_module_is_no_black_box() -> None:
    with pytest.raises(TypeError, match=r"must not be an nn\.Module"):
        ActionRecognition(**{**make_parts(), "mllm": nn.Linear(2, 2)})


def test_classes_come_from_somewhere(tmp_path: Path) -> None:
    task, data = make_task(), make_data()
    with pytest.raises(ValueError, match="`classes` must be given"):
        make_trainer(tmp_path).validate(task, data.val_dataloader(), verbose=False)
    fit(task, tmp_path)
    assert task.classes == data.classes
    assert task.chance_score == 1 / 10
    task = make_task(classes=["jump", "run"])
    make_trainer(tmp_path).validate(task, data, verbose=False)
    assert task.classes == ["jump", "run"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_step_norm": 0.0},
        {"reviewer_steps": -1},
        {"reviewer_restart_every": -1},
        {"logit_scale": 0.0},
    ],
)
def test_refuses(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"`{min(wrong)}`.* must.*; found"):
        make_task(**wrong)


def test_a_call_with_other_parameters_uses_no_live_one() -> None:
    module, x = nn.Linear(3, 2), torch.rand(4, 3)
    other = nn.Linear(3, 2)
    theta = flatten(list(other.parameters()))
    assert torch.equal(call_with(module, theta)(x), other(x))
    (gradient,) = torch.autograd.grad(call_with(module, theta.requires_grad_())(x).sum(), theta)
    assert gradient.all()
    assert all(p.grad is None for p in module.parameters())
