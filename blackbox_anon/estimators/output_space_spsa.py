"""SPSA in the space of the anonymized frames, one direction per sample."""

from typing import get_args

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.arguments import require
from blackbox_anon.estimators.abstract import Estimate
from blackbox_anon.estimators.counting import AbstractCountingEstimator
from blackbox_anon.estimators.critical_history import CriticalHistory
from blackbox_anon.estimators.frame_pairs import ask_frames, conclude
from blackbox_anon.estimators.functional import Basis, patterns, rademacher
from blackbox_anon.estimators.problem import BlackBoxProblem


class OutputSpaceSPSA(AbstractCountingEstimator):
    r"""Estimates each sample's gradient in a coarse basis of its frames, then pulls it back.

    The anonymizer is ours and differentiable; only the MLLM is not. Every sample's anonymized
    frames are shifted by a pattern of its own, random signs in a coarse basis brought to full size,
    up for one query and down for the other. The difference of the two losses estimates the loss's
    gradient in that basis; one vector-Jacobian product turns it into a gradient of the parameters.
    A pair costs two queries a sample, as in :class:`SPSA`, but a sample answers for itself, and a
    handful of coefficients is searched instead of thousands of parameters.

    .. math:: v_b = \frac{L_b(x_b + r U z_b) - L_b(x_b - r U z_b)}{2r\,n} U z_b, \qquad
              g = \frac{1}{B} \sum_b J_b^\top v_b

    with ``n`` the pixels per coefficient. For a quadratic loss the mean over all patterns is
    exactly :math:`J^\top U U^\top \nabla L / n`. Where cells are pixels that is the gradient;
    cosines project it on low frequencies, a coarser grid smooths it in space (and keeps what is
    constant over a frame if it divides it), and a clip whose frames share a pattern shares their
    mean.

    Nothing is clipped: frames are first brought into ``[r m, 1 - r m]``, with ``m`` the largest
    entry of the sample's pattern, so that both sides are reached. A sample with a failed half
    (a loss of NaN) is left out as a whole.

    Args:
        amplitude: Perturbation ``r`` in pixel units; 0.03 is about 8 of 255. Less than 0.5, and
            with cosines less than ``0.5 * grid / (1 + sqrt(2) * (grid - 1)) ** 2``.
        basis: ``"grid"`` of equal cells with bilinear interpolation, or ``"cosine"``, the lowest
            frequencies of the discrete cosine transform.
        grid: Coefficients per side and colour.
        share_frames: Whether the frames of a clip have one pattern, or one each.
        num_patterns: Pairs per step and sample; the estimate is their mean.
        seed: Seed of the patterns.
        history: Critical history that corrects the pulled-back gradient, or ``None``.

    Logs:
        ``dead_pairs`` (steps without any differing pair so far), ``dead_share`` (of
        pairs that do not differ), ``dropped_share`` (of pairs with a failed half),
        ``pixel_difference``, ``gradient_norm``, and with a history ``indicator``, ``cosine``,
        ``history_age``.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(
        self,
        amplitude: float = 0.03,
        *,
        basis: Basis = "grid",
        grid: int = 4,
        share_frames: bool = True,
        num_patterns: int = 1,
        seed: int = 0,
        history: CriticalHistory | None = None,
    ) -> None:
        super().__init__()
        bases = get_args(Basis)
        require(
            basis=(basis, basis in bases, f"one of {bases}"),
            grid=(grid, grid >= 1, "1 or more"),
            num_patterns=(num_patterns, num_patterns >= 1, "1 or more"),
            seed=(seed, seed >= 0, "0 or more"),
        )
        largest = (1 + 2**0.5 * (grid - 1)) ** 2 / grid if basis == "cosine" else 1.0
        if not 0 < amplitude < 0.5 / largest:
            msg = f"`amplitude` must be in (0, {0.5 / largest:.3g}); found {amplitude}"
            raise ValueError(msg)
        self.amplitude, self.grid, self.seed = amplitude, grid, seed
        self.basis: Basis = basis
        self.share_frames, self.num_patterns = share_frames, num_patterns
        self.history = history

    @property
    @override
    def queries_per_sample(self) -> int:
        return 2 * self.num_patterns

    @override
    def allocate(self, num_parameters: int) -> None:
        if self.history is not None:
            self.history.allocate(num_parameters)

    @override
    def reset(self) -> None:
        super().reset()
        if self.history is not None:
            self.history.reset()

    @override
    def forward(self, theta: Tensor, problem: BlackBoxProblem) -> Estimate:
        step = int(self.step) + 1
        with torch.enable_grad():
            parameters = theta.detach().clone().requires_grad_()
            frames = problem.anonymize(parameters)
        with torch.no_grad():
            images = frames.detach() if frames.ndim == 5 else frames.detach().unsqueeze(1)
            pattern, cell = self._patterns(images, step)
            versions = self._versions(frames.detach(), images, pattern)
            pairs = ask_frames(versions, problem)
            weights = pairs.slopes / (2 * self.amplitude * cell * pairs.slopes.numel())
            vector = (weights[..., None, None, None, None] * pattern).sum(0)
            vector = vector.expand_as(images).view_as(frames).to(frames.dtype)
        (gradient,) = torch.autograd.grad(frames, parameters, vector)
        with torch.no_grad():
            estimate = conclude(
                gradient,
                pairs,
                problem,
                step=step,
                dead_pairs=self.dead_pairs,
                history=self.history,
            )
        self.step.fill_(step)
        return estimate

    def _patterns(self, images: Tensor, step: int) -> tuple[Tensor, float]:
        """Return patterns ``(D, B, T or 1, 3, H, W)`` and the pixels per coefficient."""
        batch, frames, channels, height, width = images.shape
        count = 1 if self.share_frames else frames
        shape = (self.num_patterns, batch, count, channels, self.grid, self.grid)
        signs = rademacher(torch.Size(shape).numel(), self.seed, step).to(images).view(shape)
        pixels = (frames // count) * height * width / self.grid**2
        return patterns(signs, self.basis, height, width), pixels

    def _versions(self, frames: Tensor, images: Tensor, pattern: Tensor) -> Tensor:
        """Return the frames shifted up and down, shape ``(2, D, *frames.shape)``."""
        reach = self.amplitude * pattern.abs().amax(dim=(0, 2, 3, 4, 5)).view(-1, 1, 1, 1, 1)
        centre = torch.minimum(torch.maximum(images, reach), 1 - reach)
        shift = self.amplitude * pattern
        return torch.stack([centre + shift, centre - shift]).view(2, -1, *frames.shape)
