"""SPSA along the few directions in which the anonymizer's output changes most."""

import math
from collections.abc import Iterator
from typing import get_args

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.arguments import require
from blackbox_anon.estimators.abstract import Estimate
from blackbox_anon.estimators.counting import (
    AbstractCountingEstimator,
    require_allocated,
    require_same_size,
)
from blackbox_anon.estimators.critical_history import CriticalHistory
from blackbox_anon.estimators.frame_pairs import ask_made_frames, conclude
from blackbox_anon.estimators.functional import clip_to_quantile, rademacher
from blackbox_anon.estimators.later import Later
from blackbox_anon.estimators.problem import BlackBoxProblem
from blackbox_anon.estimators.sketches import Sketch, leading_directions, sketch_weights

_PROBE = 1e-3  # length of the finite difference that measures a direction's effect


class ActiveSubspaceSPSA(AbstractCountingEstimator):
    r"""Estimates each sample's gradient in the anonymizer's active subspace.

    The anonymizer is ours and differentiable; only the MLLM is not. Of its thousands of parameter
    directions a handful change the frames much, and most of a loss's gradient lies in them,
    whatever the loss: they are the leading right singular vectors ``S`` of the Jacobian ``J`` of
    the frames. Random projections :math:`J^\top w`, one vector-Jacobian product each and no query,
    give them. Every sample's frames are then shifted along a random combination of its own of these
    directions, up for one query and down for the other:

    .. math:: g = \frac{1}{B} \sum_b S^\top z_b\,
              \frac{L_b(x_b + a_b J_b S^\top z_b) - L_b(x_b - a_b J_b S^\top z_b)}{2 a_b}

    with signs ``z_b`` and ``a_b`` such that a shift's root mean square is ``amplitude``. For a
    quadratic loss the mean over all signs is exactly the gradient's projection on the subspace. A
    pair costs two queries a sample, as in :class:`SPSA`, but a sample answers for itself, and
    ``rank`` numbers are searched instead of thousands. As training goes on, new projections
    replace the oldest, and the subspace moves along.

    Most that parameters change is of no account to a black box that answers on raw frames: what
    matters is where the picture was changed already, and whether there should be more or less of
    it. With ``sketch="changes"`` a projection weighs every pixel by what was changed in it, times a
    smooth random field of each image, instead of by noise. At two anonymizers along runs on the
    embedded world the leading 4 and 8 directions then held 0.65 and 0.82, and 0.75 and 0.77 of the
    length of the black box's own gradient; 0.33 and 0.37, and 0.44 and 0.63 with noise.

    Nothing is clipped: where a shift would leave ``[0, 1]`` on one side, it is shortened on both. A
    sample with a failed half (a loss of NaN) is left out as a whole.

    A mean of cross-entropies has heavy tails: a few clips whose answers are lost have gradients a
    hundred times as long as the others', and what they say differs from batch to batch. With
    ``clip_quantile`` below 1 a slope longer than that quantile of its batch is cut to it. The
    estimate is less noisy, and biased: the lower the quantile, the less lost answers count.

    Args:
        amplitude: Root mean square of a shift in pixel units, in ``(0, 0.5)``.
        rank: Directions ``K``, at most ``sketches``.
        sketches: Random projections that are kept.
        renewed: Projections made anew per step, for the next one, while its queries are in flight;
            the first step makes them all.
        sketched_share: Share of a batch's samples, in turn, whose frames a step's projections are
            of, in ``(0, 1]``. The products with vectors are most of what a step costs on this
            machine, and in the mean over steps a share of the samples tells the same.
        sketch: What a projection weighs pixels with: ``"noise"``, or ``"changes"``, the difference
            to the raw frames times a field that is drawn on 4 x 4 cells of each image, one for all
            channels, and interpolated. The latter needs ``problem.raw``.
        group_size: Neighbours in a batch that are shifted along the same combination. Anonymizing
            each sample with parameters of its own takes longer than anonymizing them together.
            What it costs is little: the estimate still has the mean of the projected gradient, and
            its variance grows by about ``rank * group_size / B`` times the square of the gradient's
            length, where the samples' own differences put many times that.
        clip_quantile: Quantile of a batch's slopes, by magnitude, that longer ones are cut to, in
            ``(0, 1]``; 1 cuts none.
        seed: Seed of projections and signs, 0 or more.
        history: Critical history that corrects the gradient, or ``None``.

    Logs:
        ``dead_pairs`` (steps without any differing pair so far), ``dead_share``,
        ``dropped_share`` (of pairs with a failed half), ``pixel_difference``, ``gradient_norm``,
        ``captured_share`` (of the kept projections' squared length, by the subspace), and with a
        history ``indicator``, ``cosine``, ``history_age``.

    Raises:
        ValueError: If an argument is out of its range, or raw frames are wanted and not there.

    Reference:
        Active subspaces: Constantine, Dow and Wang, SIAM J. Sci. Comput. 2014; of the anonymizer
        instead of the unknown loss. Sketch: Halko, Martinsson and Tropp, SIAM Review 2011.
    """

    projections: Tensor

    def __init__(
        self,
        amplitude: float = 0.02,
        *,
        rank: int = 8,
        sketches: int = 32,
        renewed: int = 1,
        sketched_share: float = 1.0,
        sketch: Sketch = "noise",
        group_size: int = 1,
        clip_quantile: float = 1.0,
        seed: int = 0,
        history: CriticalHistory | None = None,
    ) -> None:
        super().__init__()
        require(
            amplitude=(amplitude, 0 < amplitude < 0.5, "in (0, 0.5)"),
            rank=(rank, 1 <= rank <= sketches, f"from 1 to `sketches` ({sketches})"),
            renewed=(renewed, 0 <= renewed <= sketches, f"from 0 to `sketches` ({sketches})"),
            sketched_share=(sketched_share, 0 < sketched_share <= 1, "in (0, 1]"),
            sketch=(sketch, sketch in get_args(Sketch), f"one of {', '.join(get_args(Sketch))}"),
            group_size=(group_size, group_size >= 1, "1 or more"),
            clip_quantile=(clip_quantile, 0 < clip_quantile <= 1, "in (0, 1]"),
            seed=(seed, seed >= 0, "0 or more"),
        )
        self.clip_quantile, self.sketched_share = clip_quantile, sketched_share
        self.sketch, self.group_size = sketch, group_size
        self.amplitude, self.rank, self.renewed, self.seed = amplitude, rank, renewed, seed
        self.history = history
        self.register_buffer("projections", torch.zeros(sketches, 0))

    @property
    @override
    def queries_per_sample(self) -> int:
        return 2

    @override
    def allocate(self, num_parameters: int) -> None:
        sketches, found = self.projections.shape
        require_same_size(found, num_parameters)
        if self.rank > num_parameters:
            msg = f"`rank` must be at most the {num_parameters} parameters; found {self.rank}"
            raise ValueError(msg)
        if found == 0:
            self.projections = self.projections.new_zeros(sketches, num_parameters)
        if self.history is not None:
            self.history.allocate(num_parameters)

    @override
    def reset(self) -> None:
        super().reset()
        self.projections.zero_()
        if self.history is not None:
            self.history.reset()

    @override
    def forward(self, theta: Tensor, problem: BlackBoxProblem) -> Estimate:
        require_allocated(theta, self.projections.shape[1])
        step = int(self.step) + 1
        whole, renewed = self._project(theta, problem, step)
        kept = self.projections if step > 1 else problem.mean_over_ranks(renewed())
        with torch.no_grad():
            directions, captured = leading_directions(kept.to(theta), self.rank)
            batch = _size(problem, whole)
            groups = math.ceil(batch / self.group_size)
            signs = rademacher(groups * self.rank, 2 * self.seed, step).to(theta)
            own = signs.view(groups, -1).repeat_interleave(self.group_size, 0)[:batch]
            lengths: list[Tensor] = []

            def make(part: BlackBoxProblem) -> Tensor:
                frames = part.anonymize(theta) if whole is None else whole
                first = sum(map(len, lengths))
                signs = own[first : first + len(frames)]
                moved = self._moved(theta + _PROBE * (signs @ directions), first, part)
                versions, found = self._versions(moved, frames)
                lengths.append(found)
                return versions

            pairs = ask_made_frames(make, problem)
            slopes = pairs.slopes[0] / (2 * torch.cat(lengths).to(pairs.slopes))
            slopes = clip_to_quantile(slopes, self.clip_quantile, pairs.valid[0])
            gradient = ((slopes / batch).to(own) @ own) @ directions
            estimate = conclude(
                gradient,
                pairs,
                problem,
                step=step,
                dead_pairs=self.dead_pairs,
                history=self.history,
            )
        if step == 1:
            self.projections.copy_(kept)
        elif self.renewed:
            first = (step - 2) * self.renewed
            slots = torch.arange(first, first + self.renewed, device=theta.device) % len(kept)
            self.projections[slots] = problem.mean_over_ranks(renewed()).to(kept)
        self.step.fill_(step)
        estimate.logs["captured_share"] = captured
        return estimate

    def _project(
        self, theta: Tensor, problem: BlackBoxProblem, step: int
    ) -> tuple[Tensor | None, Later[Tensor]]:
        """Return the frames, unless they are made in parts, and a step's projections, for later."""
        count = len(self.projections) if step == 1 else self.renewed
        parameters = theta.detach().clone().requires_grad_()
        sketch_all = self.sketched_share == 1 and count > 0
        frames = None
        if problem.parts is None:
            with torch.set_grad_enabled(sketch_all):
                frames = problem.anonymize(parameters)

        def renew() -> Tensor:
            with torch.enable_grad():
                if not sketch_all:
                    chosen = self._chosen(_size(problem, frames), step, theta.device)
                    some = problem.some(parameters, chosen)
                else:
                    chosen = None
                    some = problem.anonymize(parameters) if frames is None else frames
            shaped = self._shaped(some.detach(), problem, chosen)
            found: list[Tensor] = []
            for index in range(count):
                number, again = step * len(self.projections) + index, index + 1 < count
                weights = sketch_weights(self.sketch, shaped, 2 * self.seed + 1, number)
                found += torch.autograd.grad(some, parameters, weights, retain_graph=again)
            return torch.stack(found)

        renewed = problem.later(renew) if count else Later(renew)
        return None if frames is None else frames.detach(), renewed

    def _shaped(self, frames: Tensor, problem: BlackBoxProblem, chosen: Tensor | None) -> Tensor:
        """Return what a projection's weights are shaped like: see :func:`sketch_weights`."""
        if self.sketch == "noise":
            return frames
        if problem.raw is None:
            msg = (
                "`problem.raw` must be the frames before they are anonymized, where `sketch` is "
                "'changes'; found None"
            )
            raise ValueError(msg)
        return frames - (problem.raw if chosen is None else problem.raw[chosen]).to(frames)

    def _chosen(self, batch: int, step: int, device: torch.device) -> Tensor:
        """Return the indices of the share of the batch whose turn it is."""
        count = math.ceil(self.sketched_share * batch)
        return (step * count + torch.arange(count, device=device)) % batch

    def _versions(
        self, moved: Iterator[tuple[Tensor, slice]], frames: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return both versions, shape ``(2, 1, B, ..., 3, H, W)``, and ``a_b``, shape ``(B,)``."""
        versions, lengths = frames.new_empty(2, 1, *frames.shape), []
        # Group by group, in place: a group's pixels are at hand from one pass to the next.
        for changed, chosen in moved:
            own, plus, minus = frames[chosen], versions[0, 0, chosen], versions[1, 0, chosen]
            shift = (changed - own).div_(_PROBE)
            size = torch.linalg.vector_norm(shift.flatten(1), dim=1) / math.sqrt(own[0].numel())
            lengths.append(self.amplitude / size.clamp_min(1e-12))
            shift.mul_(lengths[-1].view(-1, *[1] * (frames.ndim - 1)))
            room = torch.minimum(own, 1 - own).clamp_min_(0)
            shift = torch.minimum(shift, room, out=shift)
            shift = torch.maximum(shift, room.neg_(), out=shift)
            torch.add(own, shift, out=plus)
            torch.sub(own, shift, out=minus)
        return versions, torch.cat(lengths)

    def _moved(
        self, thetas: Tensor, first: int, problem: BlackBoxProblem
    ) -> Iterator[tuple[Tensor, slice]]:
        """Yield frames that other parameters make, with the samples that they are of.

        Args:
            thetas: Each sample's own, shape ``(b, P)``.
            first: Place of the first of them in the whole batch, whose neighbours make groups.
            problem: The samples.
        """
        if self.group_size == 1:
            yield problem.each(thetas), slice(None)
            return
        start = 0
        while start < len(thetas):
            end = min(len(thetas), start + self.group_size - (first + start) % self.group_size)
            chosen = torch.arange(start, end, device=thetas.device)
            yield problem.some(thetas[start], chosen), slice(start, end)
            start = end


def _size(problem: BlackBoxProblem, frames: Tensor | None) -> int:
    """Return the number of samples of a batch."""
    return len(problem.names or ()) if frames is None else len(frames)
