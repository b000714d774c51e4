"""The method: an anonymizer trained against a black box and a privacy reviewer."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, get_args

import torch
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer
from typing_extensions import override

from blackbox_anon.anonymizers import UNetAnonymizer
from blackbox_anon.arguments import require
from blackbox_anon.datamodules import read_ahead
from blackbox_anon.estimators import (
    AbstractEstimator,
    Asked,
    BlackBoxProblem,
    CriticalHistorySPSA,
    Estimate,
)
from blackbox_anon.estimators.functional import power_decay
from blackbox_anon.judges import AbstractJudge
from blackbox_anon.mllms import AbstractMLLM
from blackbox_anon.reviewers import AbstractReviewer
from blackbox_anon.scalarizations import AbstractScalarization, AugmentedTchebycheff
from blackbox_anon.tasks import parameters as flat
from blackbox_anon.tasks.abstract import AbstractTask
from blackbox_anon.tasks.ahead import Ahead, Overlap
from blackbox_anon.tasks.answered import take
from blackbox_anon.tasks.call_counter import CallCounter
from blackbox_anon.tasks.encoding import FeaturesAhead
from blackbox_anon.tasks.failure_log import KINDS
from blackbox_anon.tasks.failure_policy import FailurePolicy
from blackbox_anon.tasks.posing import PosedBatch
from blackbox_anon.tasks.privacy_side import Privacy, PrivacySide
from blackbox_anon.tasks.repeating import estimate_again
from blackbox_anon.tasks.showing import Writer, show
from blackbox_anon.tasks.step_logs import HEADLINE, SHOWN, call_logs, frame_logs, step_logs
from blackbox_anon.types import PairBatch, UtilityBatch

_FIRST = 1  # samples that a service is asked about before the rest is anonymized


class BlackBoxAnonymization(AbstractTask):
    """Trains an anonymizer so that a black box still answers and a reviewer does not.

    One step on a :class:`~blackbox_anon.types.PairBatch`:

    1. the estimator asks the black box about the utility batch: ``(1 + I_k) g_tilde_k``;
    2. the reviewer takes ``reviewer_steps`` steps on anonymized images of the privacy batch;
    3. ``h_k``, the gradient of L_privacy, comes by backpropagation through the reviewer;
    4. the scalarization combines both (Eq. 11) and the optimizer steps with ``a_k`` (Eq. 12).

    2. and 3. need no answer: while a service's answers are on their way they are done already, with
    the same bits, and undone if the step is given up (``overlap``). So is anonymizing most of the
    utility batch: a service is asked about one sample first, and about the rest meanwhile. The
    next batch is read then too, and the loggers get what the step before has to tell.

    The black box comes first, so that a step it spoils has changed nothing. A failed call is no
    answer: its pair is dropped, and where too few are left the same questions are asked again, and
    then the step is given up (:class:`~blackbox_anon.tasks.FailurePolicy`). A batch that was given
    up counts in ``skipped_steps`` and not in ``steps``: parameters, optimizers, history, ideal
    point and the estimator's step are those before it, and its queries are counted.

    Args:
        anonymizer: What is trained.
        reviewer: Differentiable privacy reviewer.
        mllm: The black box.
        estimator: Zeroth-order estimator; ``None`` is the paper's, :class:`CriticalHistorySPSA`.
        scalarization: How objectives (utility, privacy) are combined; ``None`` is the paper's,
            :class:`AugmentedTchebycheff`.
        anonymizer_optimizer: Its ``lr`` is ``a``, the first step size.
        step_decay: Exponent of ``a_k = a / (k + step_offset)^step_decay``.
        step_offset: Offset of the same.
        gradient_scales: Factors of the utility and the privacy gradient; (1, 1) is the paper.
        max_step_norm: Bound on the L2 norm of one step in parameter space; ``None``, the paper, is
            no bound.
        reviewer_optimizer: For the reviewer.
        reviewer_steps: Reviewer steps per anonymizer step.
        reviewer_restart_every: Steps between restarts of a reviewer (VITA); 0 for never.
        privacy_judge: Who judges privacy in a test, see :class:`AbstractTask`.
        failures: How much may fail, see :class:`AbstractTask`.
        overlap: Whether local work is done while queries are in flight. ``auto``: where the black
            box is a service, or a local model whose threads leave room for it (``cpu_workers``);
            else a model on this machine needs the processor itself. ``always``: also where wrappers
            stand around a local model, which must not draw from the global random generators then.
            ``never``: first the black box, then the rest.

    Reference:
        Sec. 3.5 of "When Visual Privacy Protection Meets Multimodal Large Language Models",
        IJCV 2026.
    """

    steps: Tensor
    queries: Tensor
    privacy_steps: Tensor
    skipped_steps: Tensor
    repeated_steps: Tensor
    failed: Tensor

    def __init__(
        self,
        anonymizer: UNetAnonymizer,
        reviewer: AbstractReviewer,
        mllm: AbstractMLLM,
        *,
        estimator: AbstractEstimator | None = None,
        scalarization: AbstractScalarization | None = None,
        anonymizer_optimizer: OptimizerCallable = lambda p: SGD(p, lr=0.01),
        step_decay: float = 0.4,
        step_offset: int = 0,
        gradient_scales: tuple[float, float] = (1.0, 1.0),
        max_step_norm: float | None = None,
        reviewer_optimizer: OptimizerCallable = lambda p: Adam(p, lr=1e-3, fused=True),
        reviewer_steps: int = 1,
        reviewer_restart_every: int = 0,
        privacy_judge: AbstractJudge | None = None,
        failures: FailurePolicy | None = None,
        overlap: Overlap = "auto",
    ) -> None:
        super().__init__(anonymizer, reviewer, mllm, privacy_judge=privacy_judge, failures=failures)
        bounded, every = max_step_norm is None or max_step_norm > 0, reviewer_restart_every
        require(
            max_step_norm=(max_step_norm, bounded, "positive or None"),
            reviewer_steps=(reviewer_steps, reviewer_steps >= 0, "0 or more"),
            reviewer_restart_every=(every, every >= 0, "0 or more"),
            overlap=(overlap, overlap in get_args(Overlap), f"one of {get_args(Overlap)}"),
        )
        self.automatic_optimization = False
        self.estimator = estimator or CriticalHistorySPSA()
        self.scalarization = scalarization or AugmentedTchebycheff()
        self.anonymizer_optimizer = anonymizer_optimizer
        self.reviewer_optimizer = reviewer_optimizer
        self.step_decay, self.step_offset = step_decay, step_offset
        self.gradient_scales, self.max_step_norm = gradient_scales, max_step_norm
        self.reviewer_steps, self.reviewer_restart_every = reviewer_steps, reviewer_restart_every
        self.overlap: Overlap = overlap
        self.trained = flat.trained_parameters(anonymizer.trained)
        self._privacy_side = PrivacySide(self, self.trained, reviewer_steps=reviewer_steps)
        self.estimator.allocate(sum(p.numel() for p in self.trained))
        for counter in ("steps", "queries", "privacy_steps", "skipped_steps", "repeated_steps"):
            self.register_buffer(counter, torch.zeros((), dtype=torch.int64))
        self.register_buffer("failed", torch.zeros(len(KINDS), dtype=torch.int64))
        self.skipped = False
        """Whether the last batch was given up; the same on all processes."""
        self.asking = False
        """Whether the black box is being asked about a step, which has changed nothing so far."""
        self.scalars: dict[str, Tensor] = {}
        """What the last step logged, ``train/...`` and ``mllm/...``; each a scalar."""
        self.seen: dict[str, Tensor] = {}
        """The last step's ``raw`` and ``anonymized`` frames and ``scores``, NaN where a call
        failed, for callbacks."""
        self._calls_of_step = CallCounter(self.failures)
        self._features = FeaturesAhead(anonymizer)
        self._writer = Writer(self, waits=self._writes_later)

    @override
    def configure_optimizers(self) -> list[Optimizer]:
        return [
            self.anonymizer_optimizer(self.trained),
            self.reviewer_optimizer(self.reviewer.parameters()),
        ]

    @override
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        for name in ("skipped_steps", "repeated_steps", "failed"):
            # A checkpoint from before calls could fail has none of these.
            checkpoint["state_dict"].setdefault(name, torch.zeros_like(getattr(self, name)))

    @override
    def training_step(self, batch: PairBatch, batch_idx: int) -> None:
        with self._privacy_side.ahead(batch["privacy"]) as ahead:
            meanwhile = partial(self._while_asking, ahead) if self._overlaps else None
            try:
                estimate = self._ask(batch["utility"], meanwhile)
            finally:
                self._writer.write()
            self.skipped = estimate is None
            if estimate is None:
                self.skipped_steps += 1
                self._log_calls()
                return
            privacy = ahead.take()
        self._descend(estimate, privacy)

    def _while_asking(self, ahead: Ahead[Privacy]) -> None:
        ahead.do()
        following = read_ahead(self.trainer.train_dataloader)
        first = _FIRST if self.mllm.sends_images else None  # else all at once
        self._features.prepare(following, self.device, first)
        self._writer.write()

    @property
    def _overlaps(self) -> bool:
        return self.overlap == "always" or (self.overlap == "auto" and self.mllm.answers_beside)

    def _writes_later(self) -> bool:
        return self._overlaps

    def _descend(self, estimate: Estimate, privacy: Privacy) -> None:
        """Combine both objectives and take the anonymizer's step."""
        anonymizer_optimizer, _ = self.optimizers()  # type: ignore[attr-defined]  # two, as configured
        values = torch.stack([estimate.loss.float(), privacy.loss.float()])
        scales = values.new_tensor(self.gradient_scales).unsqueeze(1)
        gradients = scales * torch.stack([estimate.gradient, privacy.gradient])
        combined = self.scalarization(values, gradients)
        self._step_anonymizer(anonymizer_optimizer, combined.gradient)
        self.estimator.heed(combined.active)
        self.steps += 1
        self.privacy_steps += (combined.active == 1).to(self.privacy_steps)
        self._restart_reviewer()
        self.scalars |= privacy.logs
        self._log_step(step_logs(estimate, privacy.loss, combined, gradients))

    def problem(
        self, batch: UtilityBatch, *, meanwhile: Callable[[], None] | None = None
    ) -> BlackBoxProblem:
        """Pose a batch to an estimator: ``anonymize(theta)`` beside ``losses(frames)``.

        Args:
            batch: What is asked about.
            meanwhile: Called while a query is in flight, see :meth:`AbstractMLLM.query`.
        """
        posed = PosedBatch(
            self.anonymizer,
            self._query,
            batch,
            self.prompts(batch),
            judge=self._judge,
            hear=self._calls_of_step.hear,
            seen=self.seen,
            meanwhile=meanwhile,
            encode=self._features,
        )
        problem = self._pose(posed, batch, meanwhile)
        if not self.mllm.sends_images or len(batch["name"]) < 2:
            return problem  # a model on this machine answers larger batches sooner
        return replace(problem, parts=lambda: self._pose_parts(posed))

    def _pose(
        self, posed: PosedBatch, batch: UtilityBatch, meanwhile: Callable[[], None] | None
    ) -> BlackBoxProblem:
        return BlackBoxProblem(
            anonymize=posed.anonymize,
            losses=posed.losses,
            mean_over_ranks=self._mean_unless_stopped,
            min_valid_share=self.failures.min_valid_share,
            anonymize_each=posed.anonymize_each,
            anonymize_some=posed.anonymize_some,
            asked=self.asked(batch),
            raw=batch["frames"],
            names=batch["name"],
            subset=lambda chosen: self.problem(take(batch, chosen.tolist()), meanwhile=meanwhile),
            beside=None if meanwhile is None else posed.beside,
        )

    def _pose_parts(self, posed: PosedBatch) -> Iterator[BlackBoxProblem]:
        """Pose a sample, that is soon in flight, and then the others."""
        return (self._pose(part, part.batch, part.meanwhile) for part in posed.parts(_FIRST))

    def asked(self, batch: UtilityBatch) -> Asked | None:
        """Return what is asked about a batch, if it is one question of classes."""
        del batch
        return None

    def _ask(self, batch: UtilityBatch, meanwhile: Callable[[], None] | None) -> Estimate | None:
        """Estimate the utility gradient, again where too few answered; ``None`` is given up."""
        theta, problem = flat.flatten(self.trained), self.problem(batch, meanwhile=meanwhile)
        self._calls_of_step.forget()
        self.asking = True
        estimate = estimate_again(
            self.estimator,
            theta,
            problem,
            attempts=self.failures.attempts,
            repeated=self.repeated_steps,
            after_each=self._count_calls,
        )
        self.asking = False
        return estimate

    def _mean_unless_stopped(self, values: Tensor) -> Tensor:
        """Average over all processes; they stop together if one of them cannot go on."""
        self._stop.agree(self.trainer)
        return self._over_ranks(values, "mean")

    def _count_calls(self) -> None:
        """Add what all processes asked; they stop together where too much failed."""
        with self._stop.holding(self.trainer):
            self._calls_of_step.add_up(
                lambda own: self._over_ranks(own.to(self.device), "sum"),
                queries=self.queries,
                failed=self.failed,
            )
        self._stop.agree(self.trainer)

    def _step_anonymizer(self, optimizer: LightningOptimizer, gradient: Tensor) -> None:
        decay = power_decay(1.0, self.step_decay, int(self.steps) + 1, self.step_offset)
        moved = flat.descend(optimizer, self.trained, gradient, decay, self.max_step_norm)
        self.scalars["train/step_norm"] = moved
        self.scalars["train/step_size"] = moved.new_tensor(optimizer.param_groups[0]["lr"])

    def _restart_reviewer(self) -> None:
        every = self.reviewer_restart_every
        if every and int(self.steps) % every == 0:
            self.reviewer.restart(int(self.steps) // every)

    def _log_step(self, logs: dict[str, Tensor]) -> None:
        """Show the headline figures and hand all scalars to the loggers."""
        more = {
            "train/privacy_active_share": self.privacy_steps / self.steps,
            **frame_logs(self.seen),
            "train/skipped_steps": self.skipped_steps.float(),
            "train/repeated_steps": self.repeated_steps.float(),
        }
        self.scalars |= {name: value.detach() for name, value in (logs | more).items()}
        show(self, logs, HEADLINE)
        self._log_calls()
        self._writer.take(self.scalars, step=int(self.steps), queries=int(self.queries))

    def write_later(self, work: Callable[[], object]) -> None:
        """Have a callback write what it shows of a step while the next query is in flight.

        Args:
            work: Called now where nothing is done meanwhile (``overlap``), and before the next
                checkpoint, validation or end of an epoch at the latest. What it shows must be kept
                until then: :attr:`seen` and :attr:`scalars` are the next step's by then.
        """
        self._writer.add(work)

    @override
    def on_train_epoch_end(self) -> None:
        self._writer.write()

    @override
    def on_validation_start(self) -> None:
        super().on_validation_start()
        self._writer.write()

    @override
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._writer.write()

    def _log_calls(self) -> None:
        """Keep what calls cost and how they went, and show what a user waits for."""
        found = call_logs(self.queries, self.failed, self.mllm.figures())
        self.scalars |= found
        show(self, found, SHOWN)
