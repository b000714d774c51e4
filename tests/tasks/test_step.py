from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from blackbox_anon.tasks.parameters import call_with, flatten
from tests.mllms_fakes import ConstantMLLM
from tests.tasks.parts import make_data, make_task, make_trainer
from tests.tasks.steps import fit


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


def test_a_call_with_other_parameters_uses_no_live_one() -> None:
    module, x = nn.Linear(3, 2), torch.rand(4, 3)
    other = nn.Linear(3, 2)
    theta = flatten(list(other.parameters()))
    assert torch.equal(call_with(module, theta)(x), other(x))
    (gradient,) = torch.autograd.grad(call_with(module, theta.requires_grad_())(x).sum(), theta)
    assert gradient.all()
    assert all(p.grad is None for p in module.parameters())


def test_such_a_call_is_a_functional_call() -> None:
    """Also where modules share a parameter, and the module is as before, whatever happens."""
    module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 3), nn.Flatten())
    module[2].weight = module[0].weight
    before = dict(module.named_parameters())
    theta = torch.rand(sum(p.numel() for p in module.parameters()))
    parts = theta.split([p.numel() for p in module.parameters()])
    shaped = {n: p.view(before[n].shape) for n, p in zip(before, parts, strict=True)}
    x = torch.rand(4, 3)
    assert torch.equal(call_with(module, theta)(x), functional_call(module, shaped, (x,)))
    with pytest.raises(RuntimeError):
        call_with(module, theta)(torch.rand(4, 5))
    assert all(parameter is before[name] for name, parameter in module.named_parameters())
