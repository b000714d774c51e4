"""Black boxes with a known gradient."""

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
