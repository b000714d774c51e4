from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from torch import nn

from blackbox_anon.estimators import SPSA, CriticalHistorySPSA, OutputSpaceSPSA
from blackbox_anon.tasks import ActionRecognition
from blackbox_anon.tasks.guards import refuse_unsupported
from blackbox_anon.tasks.parameters import flatten
from tests.tasks.parts import B, RecordingMLLM, make_data, make_parts, make_task, make_trainer
from tests.tasks.steps import fit


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
