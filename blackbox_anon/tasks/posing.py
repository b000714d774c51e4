"""One batch as an estimator sees it: parameters to frames, frames to losses."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.anonymizers import UNetAnonymizer
from blackbox_anon.estimators.later import Later
from blackbox_anon.mllms import AnonymizedFrames, Answer, RawFrames
from blackbox_anon.tasks import parameters as flat
from blackbox_anon.tasks.answered import Answered, answered_part, take
from blackbox_anon.tasks.encoding import encoded
from blackbox_anon.types import UtilityBatch

Meanwhile = Callable[[], None] | None
"""Called while a query is in flight, see :meth:`AbstractMLLM.query`."""

Query = Callable[[AnonymizedFrames | RawFrames, Sequence[str], Meanwhile], Sequence[Answer]]
"""Asks the black box about frames."""


class PosedBatch:
    """Anonymizes one batch with any parameters, and asks the black box about the result.

    The encoder runs once for all evaluations, and everything in float32: a pair's difference is
    lost in bf16.

    Args:
        anonymizer: Whose trained part takes the parameters.
        query: Asks the black box about released frames.
        batch: The samples.
        prompts: A question about each of them, ``B``.
        judge: Losses and scores of what was answered.
        meanwhile: Called while a query is in flight, see :meth:`AbstractMLLM.query`.
        hear: Gets the answers of every call, failed ones too.
        seen: Takes the ``raw`` frames, the first version's ``anonymized`` frames, and all
            ``scores``; of who never asks, the last version's frames and scores of NaN.
        encode: Frames to features, in the place of :func:`encoded`.
        decoder: Of the anonymizer, where it is at hand.
    """

    def __init__(
        self,
        anonymizer: UNetAnonymizer,
        query: Query,
        batch: UtilityBatch,
        prompts: list[str],
        *,
        judge: Callable[[Answered], tuple[Tensor, Tensor]],
        hear: Callable[[Sequence[Answer]], None],
        seen: dict[str, Tensor],
        meanwhile: Meanwhile = None,
        encode: Callable[[Tensor], list[Tensor]] | None = None,
        decoder: flat.CallWith | None = None,
    ) -> None:
        self._encode = encode or partial(encoded, anonymizer)
        self._anonymizer, self._query, self.meanwhile = anonymizer, query, meanwhile
        self.batch, self._frames, self._prompts = batch, batch["frames"], prompts
        self._judge, self._hear, self._seen = judge, hear, seen
        self._decoder = decoder or flat.CallWith(anonymizer.trained)
        self._beside: list[Callable[[], None]] = []
        self._shown: list[Tensor] = []  # by parts: each version's scores
        self._asked, self._versions = False, 0  # whether, and about how many versions
        seen["raw"] = self._frames
        seen["scores"] = self._frames.new_full((len(prompts),), torch.nan)  # until somebody asks

    @cached_property
    def _features(self) -> list[Tensor]:
        return self._encode(self._frames)

    def anonymize(self, theta: Tensor) -> Tensor:
        """Return the frames that parameters of shape ``(P,)`` make; differentiable in them."""
        anonymized = self._decode(self._features, self._frames, theta)
        if not self._asked:
            self._seen["anonymized"] = anonymized.detach()
        return anonymized

    def anonymize_each(self, thetas: Tensor) -> Tensor:
        """Return the frames where each sample has its own parameters, shape ``(B, P)``."""
        size = len(self._frames)
        levels = zip(*(level.chunk(size) for level in self._features), strict=True)
        return torch.cat(
            [
                self._decode(own, frames.unsqueeze(0), theta)
                for own, frames, theta in zip(levels, self._frames, thetas, strict=True)
            ]
        )

    def anonymize_some(self, theta: Tensor, chosen: Tensor) -> Tensor:
        """Return the frames of the samples with indices ``chosen``, shape ``(n,)``, alone."""
        frames = self._frames[chosen]
        if "_features" not in self.__dict__:  # asked in parts: nobody needs them all
            return self._decode(self._encode(frames), frames, theta)
        levels = [level.unflatten(0, (len(self._frames), -1)) for level in self._features]
        return self._decode([level[chosen].flatten(0, 1) for level in levels], frames, theta)

    def beside(self, work: Callable[[], None]) -> None:
        """Have work called while the next query is in flight; forget it if none ever is."""
        if self.meanwhile is not None:
            self._beside.append(work)

    def losses(self, frames: Tensor) -> Tensor:
        """Return the loss of each sample of each version, NaN where the call failed.

        Args:
            frames: ``n`` versions of the batch, shape ``(n * B, ..., 3, H, W)``.

        Returns:
            Losses in nats, shape ``(n * B,)``.
        """
        size = len(self._prompts)
        times = len(frames) // size
        first, self._versions = self._versions, self._versions + times
        shown = Later(lambda: self._show_frames(first, frames[:size]))
        self.beside(shown.do)
        released = self._anonymizer.release(frames)
        meanwhile = None if self.meanwhile is None else self._all_beside
        try:
            answers = self._query(released, self._prompts * times, meanwhile)
        finally:
            self._beside.clear()
        self._hear(answers)
        blocks = [answers[i * size :][:size] for i in range(times)]
        parts = [answered_part(block, self.batch) for block in blocks]
        values = [(part, *self._judge(part)) for part in parts]
        shown()
        self._show_scores(first, torch.stack([part.spread(scores) for part, _, scores in values]))
        found = torch.cat([part.spread(_no_nan(losses)) for part, losses, _ in values])
        return found.to(frames.device)

    def parts(self, first: int) -> Iterator["PosedBatch"]:
        """Yield the first samples and the others, each a batch that is shown in this one's."""
        self._shown, self._asked = [], False
        rows = torch.arange(len(self._prompts)).split([first, len(self._prompts) - first])
        return (_PosedPart(self, part.tolist()) for part in rows)

    def _all_beside(self) -> None:
        while self._beside:
            self._beside.pop(0)()
        if self.meanwhile is not None:
            self.meanwhile()

    def _show_frames(self, first: int, anonymized: Tensor) -> None:
        """Take the first frames of a call, which begins with version ``first``."""
        del first
        self._asked, self._seen["anonymized"] = True, anonymized

    def _show_scores(self, first: int, scores: Tensor) -> None:
        """Take a call's scores, shape ``(n, B)``."""
        del first
        self._seen["scores"] = scores.flatten()

    def _show_rows(self, rows: list[int], anonymized: Tensor) -> None:
        """Take some rows of the frames."""
        if not self._asked:
            self._show_frames(0, self._frames.new_zeros(self._frames.shape))
        self._seen["anonymized"][rows] = anonymized.to(self._frames)

    def _score_rows(self, rows: list[int], first: int, scores: Tensor) -> None:
        """Take some rows of versions from the ``first`` on; answers come in any order."""
        while len(self._shown) < first + len(scores):
            self._shown.append(scores.new_full((len(self._prompts),), torch.nan))
        for index, row in enumerate(scores, first):
            self._shown[index][rows] = row
        self._show_scores(first, torch.stack(self._shown))

    def _decode(self, features: Sequence[Tensor], frames: Tensor, theta: Tensor) -> Tensor:
        with torch.autocast(frames.device.type, enabled=False):
            return self._anonymizer.decode(features, frames, self._decoder(theta))


class _PosedPart(PosedBatch):
    """Some rows of a posed batch."""

    def __init__(self, whole: PosedBatch, rows: list[int]) -> None:
        super().__init__(
            whole._anonymizer,
            whole._query,
            take(whole.batch, rows),
            [whole._prompts[row] for row in rows],
            judge=whole._judge,
            hear=whole._hear,
            seen={},
            meanwhile=None if whole.meanwhile is None else whole._all_beside,
            encode=whole._encode,
            decoder=whole._decoder,
        )
        self._whole, self._rows = whole, rows

    @override
    def _show_frames(self, first: int, anonymized: Tensor) -> None:
        if first == 0:
            self._whole._show_rows(self._rows, anonymized)

    @override
    def _show_scores(self, first: int, scores: Tensor) -> None:
        self._whole._score_rows(self._rows, first, scores)


def _no_nan(losses: Tensor) -> Tensor:
    """Let a loss that is not a number stand out on every rank: NaN means that a call failed."""
    return torch.where(losses.isnan(), torch.inf, losses)
