"""Perturb what the anonymizer shows instead of what it is."""

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from blackbox_anon.estimators.abstract import AbstractEstimator, BlackBoxProblem, Estimate
from blackbox_anon.estimators.critical_history import CriticalHistory
from blackbox_anon.estimators.functional import rademacher
from blackbox_anon.mllms.abstract import to_uint8


class OutputSpaceSPSA(AbstractEstimator):
    r"""Estimates each sample's gradient in a coarse basis of its frames, then pulls it back.

    The anonymizer is ours and differentiable; only the MLLM is not. Every sample's anonymized
    frames are shifted by a pattern of its own, ``grid x grid`` random signs per colour brought to
    full size and shared by the frames of a clip, up for one query and down for the other. The
    difference of the two losses estimates the loss's gradient in that basis; one vector-Jacobian
    product turns it into a gradient of the parameters. A pair costs two queries a sample, as in
    :class:`SPSA`, but a sample answers for itself, and a handful of pattern cells is searched
    instead of thousands of parameters.

    .. math:: v_b = \frac{L_b(x_b + r U z_b) - L_b(x_b - r U z_b)}{2r\,n} U z_b, \qquad
              g = \frac{1}{B} \sum_b J_b^\top v_b

    with ``n`` the pixels of a cell over all frames. For a quadratic loss the mean over all patterns
    is exactly :math:`J^\top U U^\top \nabla L / n`. Where cells are pixels that is the gradient; a
    coarser grid smooths it in space, and a clip's frames share their mean. Smoothing keeps what is
    constant over a frame if the grid divides it. Frames are first brought into ``[r, 1 - r]``, so
    that both sides are reached without clipping.

    Args:
        amplitude: Perturbation ``r`` in pixel units, in ``(0, 0.5)``; 0.03 is about 8 of 255.
        grid: Cells per side and colour.
        seed: Seed of the patterns.
        history: Critical history that corrects the pulled-back gradient, or ``None``.

    Logs:
        ``dead_pairs`` (steps without any differing pair so far), ``dead_share``,
        ``pixel_difference``, ``gradient_norm``, and with a history ``indicator``, ``cosine``,
        ``history_age``.

    Raises:
        ValueError: If an argument is out of its range.
    """

    step: Tensor
    dead_pairs: Tensor

    def __init__(
        self,
        amplitude: float = 0.03,
        *,
        grid: int = 4,
        seed: int = 0,
        history: CriticalHistory | None = None,
    ) -> None:
        super().__init__()
        if not 0 < amplitude < 0.5:
            msg = f"`amplitude` must be in (0, 0.5); found {amplitude}"
            raise ValueError(msg)
        if grid < 1:
            msg = f"`grid` must be 1 or more; found {grid}"
            raise ValueError(msg)
        if seed < 0:
            msg = f"`seed` must be 0 or more; found {seed}"
            raise ValueError(msg)
        self.amplitude, self.grid, self.seed = amplitude, grid, seed
        self.history = history
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.register_buffer("dead_pairs", torch.zeros((), dtype=torch.int64))

    @override
    def allocate(self, num_parameters: int) -> None:
        if self.history is not None:
            self.history.allocate(num_parameters)

    @override
    def reset(self) -> None:
        self.step.zero_()
        self.dead_pairs.zero_()
        if self.history is not None:
            self.history.reset()

    @override
    def forward(self, theta: Tensor, problem: BlackBoxProblem) -> Estimate:
        step = int(self.step) + 1
        with torch.enable_grad():
            parameters = theta.detach().clone().requires_grad_()
            frames = problem.anonymize(parameters)
            images = frames if frames.ndim == 5 else frames.unsqueeze(1)
        with torch.no_grad():
            pattern, cell = self._pattern(images, step)
            shift = (self.amplitude * pattern).expand_as(images).view_as(frames)
            centre = frames.detach().clamp(self.amplitude, 1 - self.amplitude)
            pair = torch.cat([centre + shift, centre - shift])
            losses = problem.losses(pair)
            if losses.shape != (len(pair),):
                shape = tuple(losses.shape)
                msg = f"`problem.losses` must return shape ({len(pair)},); found {shape}"
                raise ValueError(msg)
            losses = losses.to(torch.promote_types(theta.dtype, torch.float32))
            plus, minus = losses.view(2, -1)
            slope = (plus - minus) / (2 * self.amplitude * cell * len(plus))
            vector = (slope.view(-1, 1, 1, 1, 1) * pattern).expand_as(images).view_as(frames)
        (gradient,) = torch.autograd.grad(frames, parameters, vector.to(frames.dtype))
        with torch.no_grad():
            return self._estimate(gradient, losses, pair, step, problem)

    def _pattern(self, images: Tensor, step: int) -> tuple[Tensor, float]:
        """Return patterns ``(B, 1, 3, H, W)`` and the pixels of one cell over all frames."""
        batch, frames, channels, height, width = images.shape
        signs = rademacher(batch * channels * self.grid**2, self.seed, step).to(images)
        coarse = signs.view(batch, channels, self.grid, self.grid)
        fine = functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
        return fine.unsqueeze(1), frames * height * width / self.grid**2

    def _estimate(
        self, gradient: Tensor, losses: Tensor, pair: Tensor, step: int, problem: BlackBoxProblem
    ) -> Estimate:
        plus, minus = losses.view(2, -1)
        high, low = to_uint8(pair).view(2, -1)
        pixels = (torch.maximum(high, low) - torch.minimum(high, low)).float().mean() / 255
        scalars = torch.stack([losses.mean(), (plus != minus).to(losses).mean(), pixels.to(losses)])
        gradient = problem.mean_over_ranks(gradient)
        loss, differing, difference = problem.mean_over_ranks(scalars)
        if not torch.isfinite(loss):
            msg = f"`problem.losses` must be finite; found a mean of {loss.item()}"
            raise ValueError(msg)
        self.step += 1
        self.dead_pairs += (differing == 0).to(self.dead_pairs)
        logs = {
            "dead_pairs": self.dead_pairs.clone(),
            "dead_share": 1 - differing,
            "pixel_difference": difference,
            "gradient_norm": torch.linalg.vector_norm(gradient),
        }
        if self.history is not None:
            enhanced = self.history(gradient, step)
            gradient = (1 + enhanced.indicator) * enhanced.gradient
            logs |= {
                "indicator": enhanced.indicator,
                "cosine": enhanced.cosine,
                "history_age": enhanced.age,
            }
        return Estimate(gradient=gradient, loss=loss, queries=len(losses), logs=logs)
