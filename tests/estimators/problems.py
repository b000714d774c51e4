"""Black boxes with a known gradient."""

from dataclasses import replace

import torch
from torch import Tensor

from blackbox_anon.estimators import BlackBoxProblem


def quadratic_problem(
    batch_size: int = 4, num_parameters: int = 6, dtype: torch.dtype = torch.float64
) -> BlackBoxProblem:
    """Frames are the parameters; sample ``b`` loses ``(b + 1) * |frames - centre|^2``."""
    centre = torch.linspace(0.2, 0.8, num_parameters, dtype=dtype)
    scale = torch.arange(1, batch_size + 1, dtype=dtype)

    def anonymize(theta: Tensor) -> Tensor:
        return theta.reshape(1, 3, 1, -1).expand(batch_size, -1, -1, -1)

    def losses(frames: Tensor) -> Tensor:
        distance = (frames.flatten(1) - centre).square().sum(dim=1)
        return distance * scale.repeat(len(frames) // batch_size)

    return BlackBoxProblem(anonymize=anonymize, losses=losses)


def quadratic_gradient(theta: Tensor, batch_size: int = 4) -> Tensor:
    """Exact gradient of the mean loss."""
    centre = torch.linspace(0.2, 0.8, len(theta), dtype=theta.dtype)
    return (batch_size + 1) * (theta - centre)


def smooth_problem(batch: int, *size: int, batch_seed: int = 0) -> BlackBoxProblem:
    """Frames around one half, of seven parameters; each sample has a quadratic loss of its own."""
    generator = torch.Generator().manual_seed(batch_seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    pixels = batch * torch.Size(size).numel()
    mixing, slope, curvature = draw(pixels, 7), draw(batch, *size), draw(batch, *size).abs()

    def anonymize(theta: Tensor) -> Tensor:
        return 0.5 + 0.1 * torch.tanh(mixing @ theta).reshape(batch, *size)

    def losses(frames: Tensor) -> Tensor:
        repeats = (len(frames) // batch, *[1] * len(size))
        first, second = slope.repeat(repeats), curvature.repeat(repeats)
        return (first * frames + second * frames**2).flatten(1).sum(1)

    return BlackBoxProblem(anonymize=anonymize, losses=losses)


def linear_problem(batch: int, *size: int, rank: int = 7) -> BlackBoxProblem:
    """The same losses of frames that are linear in the parameters, in ``rank`` directions."""
    generator = torch.Generator().manual_seed(3)
    pixels = batch * torch.Size(size).numel()
    first = torch.randn(pixels, rank, generator=generator, dtype=torch.float64)
    second = torch.randn(rank, 7, generator=generator, dtype=torch.float64)

    def anonymize(theta: Tensor) -> Tensor:
        return 0.5 + 0.01 * (first @ (second @ theta)).view(batch, *size)

    return replace(smooth_problem(batch, *size), anonymize=anonymize)


def exact_gradient(problem: BlackBoxProblem, theta: Tensor) -> Tensor:
    """Gradient of the mean loss, by differentiating what an estimator cannot."""
    theta = theta.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(problem.losses(problem.anonymize(theta)).mean(), theta)
    return gradient


def failing(problem: BlackBoxProblem, *positions: int) -> BlackBoxProblem:
    """The same problem, where the questions at these positions got no answer."""

    def losses(frames: Tensor) -> Tensor:
        found = problem.losses(frames).clone()
        found[list(positions)] = torch.nan
        return found

    return replace(problem, losses=losses)


def silent(problem: BlackBoxProblem, *samples: int, batch: int) -> BlackBoxProblem:
    """The same problem, where these samples of the batch never lose anything."""

    def losses(frames: Tensor) -> Tensor:
        found = problem.losses(frames).clone().view(-1, batch)
        found[:, list(samples)] = 0
        return found.flatten()

    return replace(problem, losses=losses)
