"""One batch as an estimator sees it: what it may perturb, what it may query."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor

from blackbox_anon.errors import TooFewPairsError
from blackbox_anon.estimators.later import Later

R = TypeVar("R")


def _identity(values: Tensor) -> Tensor:
    return values


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the black box is asked about a batch, for who has a model at hand that can answer too.

    Attributes:
        prompts: ``B`` questions.
        classes: Class texts, ``K`` of them.
        labels: Index of the right class, shape ``(B,)``.
        logit_scale: Factor of the class scores in the cross-entropy.
        identity: :attr:`AbstractMLLM.identity` of who is asked.
        first_tokens: Whether class scores are the log-probabilities of the texts' first tokens.
    """

    prompts: Sequence[str]
    classes: Sequence[str]
    labels: Tensor
    logit_scale: float = 1.0
    identity: Mapping[str, object] = field(default_factory=dict)
    first_tokens: bool = True


@dataclass(frozen=True, kw_only=True)
class BlackBoxProblem:
    """One batch seen by an estimator: what it may perturb and what it may query.

    Attributes:
        anonymize: Maps parameters ``theta``, shape ``(P,)``, to the batch's anonymized frames,
            shape ``(B, ..., 3, H, W)``, in ``[0, 1]``. Differentiable in ``theta`` when grad is
            enabled, so an estimate made in the output space can be pulled back by one
            vector-Jacobian product.
        losses: Maps frames, shape ``(n * B, ..., 3, H, W)``, to the black box's loss per sample,
            shape ``(n * B,)``, in nats. ``n`` evaluations of the same batch stacked along the first
            dimension go to the MLLM as one batch and cost ``n * B`` queries. Never differentiable.
            NaN means that the call failed; an estimator drops a pair with such a half as a whole.
            A loss that could not be computed from an answer is infinite, and an error.
        mean_over_ranks: Averages a tensor over all processes; the identity in a single one. Every
            process must call it equally often, whatever failed.
        min_valid_share: Least share of valid pairs, over all processes, that make an estimate;
            there must be one in any case. With fewer an estimator raises
            :class:`~blackbox_anon.errors.TooFewPairsError` and writes no state.
        anonymize_each: Maps each sample's own parameters, shape ``(B, P)``, to the batch's frames,
            or ``None`` where :meth:`each` has to do it the slow way. Need not be differentiable.
        anonymize_some: Maps parameters ``theta`` and the indices of ``n`` samples to those samples'
            frames, as :attr:`anonymize` does, or ``None`` where :meth:`some` has to do it the slow
            way.
        asked: The question behind ``losses``, or ``None`` where it is none of classes. Estimators
            that only query have no use for it; :class:`SurrogateGuided` and :class:`WhiteBox` need
            it.
        raw: The batch's frames before they are anonymized, shaped as those after, or ``None``.
            :class:`FidelityGuided` needs them.
        names: ``B`` stable names of the samples, or ``None``. :class:`AdaptiveAllocation` remembers
            samples by them.
        subset: Poses the samples with the given indices, shape ``(n,)``, as a problem of their own,
            or ``None`` where nobody can. :class:`AdaptiveAllocation` needs it.
        beside: Takes work to be called while the next query is in flight; it may forget it.
            ``None`` where nothing is done meanwhile.
        parts: Poses the batch in parts, problems of their own, the samples in their order, to be
            asked as soon as each is ready, and posed when it is their turn: see :meth:`ask_made`.
            ``None`` asks for all at once; with parts there must be ``names``. Who replaces
            ``losses`` must do so in the parts, or take them away.
    """

    anonymize: Callable[[Tensor], Tensor]
    losses: Callable[[Tensor], Tensor]
    mean_over_ranks: Callable[[Tensor], Tensor] = _identity
    min_valid_share: float = 0.0
    anonymize_each: Callable[[Tensor], Tensor] | None = None
    anonymize_some: Callable[[Tensor, Tensor], Tensor] | None = None
    asked: Asked | None = None
    raw: Tensor | None = None
    names: Sequence[str] | None = None
    subset: "Callable[[Tensor], BlackBoxProblem] | None" = None
    beside: Callable[[Callable[[], None]], None] | None = None
    parts: "Callable[[], Iterable[BlackBoxProblem]] | None" = None

    def __post_init__(self) -> None:
        if self.parts is not None and self.names is None:
            raise ValueError("`names` must be given where `parts` are; found None")

    def each(self, thetas: Tensor) -> Tensor:
        """Anonymize every sample with parameters of its own.

        Without :attr:`anonymize_each` the whole batch is anonymized once per sample.

        Args:
            thetas: Shape ``(B, P)``.

        Returns:
            Frames, shape ``(B, ..., 3, H, W)``.
        """
        if self.anonymize_each is not None:
            return self.anonymize_each(thetas)
        return torch.stack([self.anonymize(theta)[i] for i, theta in enumerate(thetas)])

    def some(self, theta: Tensor, chosen: Tensor) -> Tensor:
        """Anonymize some samples only.

        Without :attr:`anonymize_some` the whole batch is anonymized, and most of it thrown away.

        Args:
            theta: Shape ``(P,)``. Differentiable in it when grad is enabled.
            chosen: Indices of samples, shape ``(n,)``.

        Returns:
            Frames, shape ``(n, ..., 3, H, W)``.
        """
        if self.anonymize_some is not None:
            return self.anonymize_some(theta, chosen)
        return self.anonymize(theta)[chosen]

    def later(self, work: Callable[[], R]) -> Later[R]:
        """Have work that needs no answer done while the next query is in flight.

        Args:
            work: Draws no random numbers and averages nothing over processes: when it is called
                depends on the black box.

        Returns:
            Its result, when called: after :meth:`ask`, as it is computed then at the latest.
        """
        later = Later(work)
        if self.beside is not None:
            self.beside(later.do)
        return later

    def ask(self, frames: Tensor) -> Tensor:
        """Ask for the loss of every sample of every version of the batch.

        Args:
            frames: Shape ``(n * B, ..., 3, H, W)``.

        Returns:
            What :attr:`losses` returned, shape ``(n * B,)``.

        Raises:
            ValueError: If there is not one loss per sample.
        """
        found = self.losses(frames)
        if found.shape != (len(frames),):
            expected = f"shape ({len(frames)},)"
            msg = f"`problem.losses` must return {expected}; found {tuple(found.shape)}"
            raise ValueError(msg)
        return found

    def ask_made(self, *makers: "Maker") -> Tensor:
        """Make versions of the batch and ask for the loss of every sample of each.

        Where the batch comes in :attr:`parts`, a part is made while those before it are in flight,
        and of the first one what the first maker makes is asked about before the others make more.

        Args:
            makers: Each from a problem with ``b`` samples to versions of them, shape
                ``(n_i, b, ..., 3, H, W)``. It sees every sample once, in order, and of each part
                the makers before it go first.

        Returns:
            Losses, shape ``(n, B)``, the makers' versions in order.

        Raises:
            ValueError: If there is not one loss per sample.
        """
        parts = [self] if self.parts is None else self.parts()
        if self.beside is None:
            frames = torch.cat([_made(part, makers) for part in parts], dim=1)
            return self.ask(frames.flatten(0, 1)).view(frames.shape[:2])
        split = 0 if self.parts is None else 1
        found = _ask_each(_pieces(parts, makers, split))
        if split and len(makers) > 1:
            found[:2] = [torch.cat(found[:2])]
        return torch.cat(found, dim=1)

    def require_valid(self, share: Tensor) -> None:
        """Refuse an estimate from too few pairs.

        Args:
            share: Valid pairs over pairs, of all processes, a scalar; the same on each of them.

        Raises:
            TooFewPairsError: If it is below :attr:`min_valid_share`, or zero.
        """
        found = share.item()
        if found == 0 or found < self.min_valid_share:
            raise TooFewPairsError(found, self.min_valid_share)


Maker = Callable[[BlackBoxProblem], Tensor]
"""Makes versions of a problem's samples, shape ``(n, b, ..., 3, H, W)``."""


def _made(part: BlackBoxProblem, makers: Sequence[Maker]) -> Tensor:
    versions = [make(part) for make in makers]
    return torch.cat(versions) if len(versions) > 1 else versions[0]


def _pieces(
    parts: Iterable[BlackBoxProblem], makers: Sequence[Maker], split: int
) -> Iterator[tuple[BlackBoxProblem, Sequence[Maker]]]:
    """Yield what is asked about at once, of the first part ``split`` makers' versions first."""
    for part in parts:
        if 0 < split < len(makers):
            yield part, makers[:split]
            yield part, makers[split:]
        else:
            yield part, makers
        split = 0


def _ask_each(pieces: Iterator[tuple[BlackBoxProblem, Sequence[Maker]]]) -> list[Tensor]:
    """Return the losses of each piece, shape ``(n, b)``."""
    piece = next(pieces, None)
    if piece is None:
        return []
    part, makers = piece
    frames = _made(part, makers)
    later = part.later(lambda: _ask_each(pieces))
    found = part.ask(frames.flatten(0, 1)).view(frames.shape[:2])
    return [found, *later()]
