"""Properties that every estimator must have, whatever its formula."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from blackbox_anon.estimators import AbstractEstimator, BlackBoxProblem, Estimate

Make = Callable[[], AbstractEstimator]


def through_disk(module: nn.Module) -> dict[str, Any]:
    """The state of a module as a checkpoint would bring it back."""
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    state: dict[str, Any] = torch.load(file, weights_only=True)
    return state


def recording(problem: BlackBoxProblem) -> tuple[BlackBoxProblem, list[Tensor], list[int]]:
    """The same problem, with the parameters it was asked at and the size of each query batch."""
    asked: list[Tensor] = []
    sizes: list[int] = []

    def anonymize(theta: Tensor) -> Tensor:
        asked.append(theta.clone())
        return problem.anonymize(theta)

    def losses(frames: Tensor) -> Tensor:
        sizes.append(len(frames))
        return problem.losses(frames)

    return replace(problem, anonymize=anonymize, losses=losses), asked, sizes


def tensors_of(estimate: Estimate) -> dict[str, Tensor]:
    return {"gradient": estimate.gradient, "loss": estimate.loss, **estimate.logs}


def assert_same_estimates(first: Estimate, second: Estimate) -> None:
    ours, theirs = tensors_of(first), tensors_of(second)
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name
    assert first.queries == second.queries


def assert_adds_nothing_to_graph(make: Make, theta: Tensor, problem: BlackBoxProblem) -> None:
    theta = theta.clone().requires_grad_()
    estimator = make()
    for _ in range(3):
        estimate = estimator(theta, problem)
        assert not any(tensor.requires_grad for tensor in tensors_of(estimate).values())
    assert not any(buffer.requires_grad for buffer in estimator.buffers())
    assert theta.grad is None


def assert_leaves_theta_unchanged(make: Make, theta: Tensor, problem: BlackBoxProblem) -> None:
    before = theta.clone()
    estimator = make()
    for _ in range(3):
        estimator(theta, problem)
    assert torch.equal(theta, before)


def assert_spends_exactly(
    make: Make, theta: Tensor, problem: BlackBoxProblem, queries: int
) -> None:
    assert make().queries_per_sample * len(problem.anonymize(theta)) == queries
    problem, _, sizes = recording(problem)
    estimate = make()(theta, problem)
    assert sizes == [queries], "one call to the black box, with every version of the batch"
    assert estimate.queries == queries


def assert_versions_follow_seed_and_step(
    make: Callable[[int], AbstractEstimator], theta: Tensor, problem: BlackBoxProblem
) -> None:
    """What is shown differs from the frames as they are in ways that seed and step decide."""

    def shown(seed: int) -> list[Tensor]:
        seen: list[Tensor] = []

        def losses(frames: Tensor) -> Tensor:
            seen.append(frames.clone())
            return problem.losses(frames)

        estimator = make(seed)
        for _ in range(2):
            estimator(theta, replace(problem, losses=losses))
        return seen

    def signs(frames: Tensor) -> Tensor:
        plain = problem.anonymize(theta)
        return (frames.view(-1, *plain.shape) - plain).sign()

    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = shown(0)
    assert torch.equal(torch.get_rng_state(), state), "the global generator was used"
    torch.manual_seed(2)
    assert all(torch.equal(a, b) for a, b in zip(first, shown(0), strict=True))
    assert not torch.equal(signs(first[0]), signs(first[1])), "two steps show the same"
    assert not torch.equal(signs(first[0]), signs(shown(1)[0])), "two seeds show the same"


def assert_continues_identically(make: Make, theta: Tensor, problem: BlackBoxProblem) -> None:
    whole, resumed = make(), make()
    for _ in range(3):
        whole(theta, problem)
    resumed.load_state_dict(through_disk(whole))
    for _ in range(3):
        assert_same_estimates(whole(theta, problem), resumed(theta, problem))


def assert_reset_restarts(make: Make, theta: Tensor, problem: BlackBoxProblem) -> None:
    fresh, used = make(), make()
    for _ in range(3):
        used(theta, problem)
    used.reset()
    for _ in range(3):
        assert_same_estimates(fresh(theta, problem), used(theta, problem))


def assert_dead_pair_gives_zero(make: Make, theta: Tensor, problem: BlackBoxProblem) -> None:
    def constant(frames: Tensor) -> Tensor:
        return frames.new_ones(len(frames))

    estimator = make()
    estimator(theta, problem)
    history = {name: tensor.clone() for name, tensor in estimator.named_buffers()}
    estimate = estimator(theta, replace(problem, losses=constant))
    assert not estimate.gradient.any()
    assert estimate.logs["dead_share"] == 1
    assert estimate.logs["dead_pairs"] > 0
    for name, tensor in estimator.named_buffers():
        if name.split(".")[-1] not in {"step", "dead_pairs", "projections"}:  # not of losses
            assert torch.equal(tensor, history[name]), name
    estimator(theta, problem)
    assert estimator(theta, problem).gradient.any()


def assert_failed_query_can_be_retried(make: Make, theta: Tensor, problem: BlackBoxProblem) -> None:
    def refuse(frames: Tensor) -> Tensor:
        raise ConnectionError(len(frames))

    untouched, retried = make(), make()
    try:
        retried(theta, replace(problem, losses=refuse))
    except ConnectionError:
        pass
    else:
        raise AssertionError("the black box's error was swallowed")
    assert_same_estimates(untouched(theta, problem), retried(theta, problem))
