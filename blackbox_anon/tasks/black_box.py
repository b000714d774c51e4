"""The method: an anonymizer trained against a black box and a privacy reviewer."""

from typing import Any

import torch
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer
from typing_extensions import override

from blackbox_anon.anonymizers import UNetAnonymizer
from blackbox_anon.errors import TooFewPairsError
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
from blackbox_anon.tasks.answered import answered_part, take
from blackbox_anon.tasks.failure_log import KINDS, FailureLog
from blackbox_anon.tasks.failure_policy import FailurePolicy
from blackbox_anon.tasks.random_state import RandomState
from blackbox_anon.tasks.step_logs import SHOWN, call_logs, step_logs
from blackbox_anon.types import PairBatch, PrivacyBatch, UtilityBatch


class BlackBoxAnonymization(AbstractTask):
    """Trains an anonymizer so that a black box still answers and a reviewer does not.

    One step on a :class:`~blackbox_anon.types.PairBatch`:

    1. the estimator asks the black box about the utility batch: ``(1 + I_k) g_tilde_k``;
    2. the reviewer takes ``reviewer_steps`` steps on anonymized images of the privacy batch;
    3. ``h_k``, the gradient of L_privacy, comes by backpropagation through the reviewer;
    4. the scalarization combines both (Eq. 11) and the optimizer steps with ``a_k`` (Eq. 12).

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
        reviewer_optimizer: OptimizerCallable = lambda p: Adam(p, lr=1e-3),
        reviewer_steps: int = 1,
        reviewer_restart_every: int = 0,
        privacy_judge: AbstractJudge | None = None,
        failures: FailurePolicy | None = None,
    ) -> None:
        super().__init__(anonymizer, reviewer, mllm, privacy_judge=privacy_judge, failures=failures)
        if max_step_norm is not None and max_step_norm <= 0:
            msg = f"`max_step_norm` must be positive or None; found {max_step_norm}"
            raise ValueError(msg)
        if reviewer_steps < 0 or reviewer_restart_every < 0:
            msg = (
                "`reviewer_steps` and `reviewer_restart_every` must not be negative; "
                f"found {reviewer_steps} and {reviewer_restart_every}"
            )
            raise ValueError(msg)
        self.automatic_optimization = False
        self.estimator = estimator or CriticalHistorySPSA()
        self.scalarization = scalarization or AugmentedTchebycheff()
        self.anonymizer_optimizer = anonymizer_optimizer
        self.reviewer_optimizer = reviewer_optimizer
        self.step_decay, self.step_offset = step_decay, step_offset
        self.gradient_scales, self.max_step_norm = gradient_scales, max_step_norm
        self.reviewer_steps, self.reviewer_restart_every = reviewer_steps, reviewer_restart_every
        self.trained = flat.trained_parameters(anonymizer.trained)
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
        self._training_calls = FailureLog(self.failures)
        self._tally = torch.zeros_like(self._training_calls.total)  # this process's, not yet added

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
        anonymizer_optimizer, reviewer_optimizer = self._optimizers()
        estimate = self._ask(batch["utility"])
        self.skipped = estimate is None
        if estimate is None:
            self.skipped_steps += 1
            self._log_calls()
            return
        anonymized = self(batch["privacy"]["frames"])  # for both parties: neither changes it
        for _ in range(self.reviewer_steps):
            self._step_reviewer(reviewer_optimizer, anonymized.detach(), batch["privacy"])
        with self.toggled_optimizer(anonymizer_optimizer):
            anonymizer_optimizer.zero_grad()
            privacy_loss, privacy_gradient = self._privacy(anonymized)
            values = torch.stack([estimate.loss.float(), privacy_loss.float()])
            scales = values.new_tensor(self.gradient_scales).unsqueeze(1)
            gradients = scales * torch.stack([estimate.gradient, privacy_gradient])
            combined = self.scalarization(values, gradients)
            self._step_anonymizer(anonymizer_optimizer, combined.gradient)
        self.estimator.heed(combined.active)
        self.steps += 1
        self.privacy_steps += (combined.active == 1).to(self.privacy_steps)
        self._restart_reviewer()
        self._log_step(step_logs(estimate, privacy_loss, combined, gradients))

    def problem(self, batch: UtilityBatch) -> BlackBoxProblem:
        """Pose a batch to an estimator: ``anonymize(theta)`` beside ``losses(frames)``.

        The encoder runs once for all evaluations, and everything in float32: a pair's difference
        is lost in bf16.
        """
        frames, prompts = batch["frames"], self.prompts(batch)
        features = [level.float() for level in self.anonymizer.features(frames)]
        self.seen["raw"] = frames

        def anonymize(theta: Tensor) -> Tensor:
            with torch.autocast(frames.device.type, enabled=False):
                decode = flat.call_with(self.anonymizer.trained, theta)
                return self.anonymizer.decode(features, frames, decode)

        def anonymize_each(thetas: Tensor) -> Tensor:
            parts = []
            for index, theta in enumerate(thetas):
                own = [level.unflatten(0, (len(frames), -1))[index] for level in features]
                decode = flat.call_with(self.anonymizer.trained, theta)
                with torch.autocast(frames.device.type, enabled=False):
                    parts.append(self.anonymizer.decode(own, frames[index : index + 1], decode))
            return torch.cat(parts)

        def losses(evaluated: Tensor) -> Tensor:
            times = len(evaluated) // len(prompts)
            answers = self._query(self.anonymizer.release(evaluated), prompts * times)
            self._tally += self._training_calls.tally(answers)
            blocks = [answers[i * len(prompts) :][: len(prompts)] for i in range(times)]
            parts = [answered_part(block, batch) for block in blocks]
            values = [(part, *self._judge(part)) for part in parts]
            self.seen["anonymized"] = evaluated[: len(prompts)]
            self.seen["scores"] = torch.cat([part.spread(scores) for part, _, scores in values])
            found = torch.cat([part.spread(_no_nan(losses)) for part, losses, _ in values])
            return found.to(evaluated.device)

        return BlackBoxProblem(
            anonymize=anonymize,
            losses=losses,
            mean_over_ranks=self._mean_unless_stopped,
            min_valid_share=self.failures.min_valid_share,
            anonymize_each=anonymize_each,
            asked=self.asked(batch),
            names=batch["name"],
            subset=lambda chosen: self.problem(take(batch, chosen.tolist())),
        )

    def asked(self, batch: UtilityBatch) -> Asked | None:
        """Return what is asked about a batch, if it is one question of classes."""
        del batch
        return None

    def _ask(self, batch: UtilityBatch) -> Estimate | None:
        """Estimate the utility gradient, again where too few answered; ``None`` is given up."""
        theta, problem = flat.flatten(self.trained), self.problem(batch)
        self._tally.zero_()
        self.asking = True
        for attempt in range(self.failures.attempts):
            self.repeated_steps += attempt > 0
            state = RandomState(theta.device)
            try:
                estimate: Estimate | None = self.estimator(theta, problem)
            except TooFewPairsError:
                estimate = None
                state.restore()
            self._count_calls()
            if estimate is not None:
                break
        self.asking = False
        return estimate

    def _mean_unless_stopped(self, values: Tensor) -> Tensor:
        """Average over all processes; they stop together if one of them cannot go on."""
        self._stop.agree(self.trainer)
        return self._over_ranks(values, "mean")

    def _count_calls(self) -> None:
        """Add what all processes asked; they stop together where too much failed."""
        tally = self._over_ranks(self._tally.to(self.device), "sum")
        self._tally.zero_()
        self.queries += tally[0]
        self.failed += tally[1:]
        with self._stop.holding(self.trainer):
            self._training_calls.add(tally)
        self._stop.agree(self.trainer)

    def _step_reviewer(
        self, optimizer: LightningOptimizer, anonymized: Tensor, batch: PrivacyBatch
    ) -> None:
        with self.toggled_optimizer(optimizer):
            optimizer.zero_grad()
            loss = self.reviewer.loss(anonymized, batch["attributes"])
            self.manual_backward(loss)
            optimizer.step()
        self.scalars["train/reviewer_loss"] = loss.detach()

    def _privacy(self, anonymized: Tensor) -> tuple[Tensor, Tensor]:
        """Return L_privacy, averaged over ranks, and its gradient ``h_k``, shape ``(P,)``."""
        loss = self.reviewer.privacy_loss(anonymized)
        self.manual_backward(loss)
        return self._over_ranks(loss.detach(), "mean"), flat.flat_gradient(self.trained)

    def _step_anonymizer(self, optimizer: LightningOptimizer, gradient: Tensor) -> None:
        decay = power_decay(1.0, self.step_decay, int(self.steps) + 1, self.step_offset)
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * decay
        before = flat.flatten(self.trained)
        flat.assign_gradient(self.trained, gradient)
        optimizer.step()
        if self.max_step_norm is not None:
            flat.bound_step(self.trained, before, self.max_step_norm)
        moved = (flat.flatten(self.trained) - before).norm()
        self.scalars["train/step_norm"] = moved
        self.scalars["train/step_size"] = moved.new_tensor(optimizer.param_groups[0]["lr"])

    def _restart_reviewer(self) -> None:
        every = self.reviewer_restart_every
        if every and int(self.steps) % every == 0:
            self.reviewer.restart(int(self.steps) // every)

    def _optimizers(self) -> tuple[LightningOptimizer, LightningOptimizer]:
        first, second = self.optimizers()  # type: ignore[attr-defined]  # two, as configured
        return first, second

    def _log_step(self, logs: dict[str, Tensor]) -> None:
        """Show the headline figures and hand all scalars to the loggers.

        ``self.log`` takes 0.4 ms a name, for averages over epochs that nobody asks of these.
        """
        scores = self.seen["scores"].float()
        more = {
            "train/privacy_active_share": self.privacy_steps / self.steps,
            "train/utility_score": scores[~scores.isnan()].mean(),
            "train/output_std": self.seen["anonymized"].float().std(dim=(-2, -1)).mean(),
            "train/input_std": self.seen["raw"].float().std(dim=(-2, -1)).mean(),
            "train/skipped_steps": self.skipped_steps.float(),
            "train/repeated_steps": self.repeated_steps.float(),
        }
        self.scalars |= {k: v.detach() for k, v in (logs | more).items()}
        shown = ("train/utility_loss", "train/privacy_loss", "train/active", "train/dead_pairs")
        headline = {name: logs[name] for name in shown if name in logs}
        self.log_dict(headline, prog_bar=True, logger=False)
        self._log_calls()
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined]  # set by a connector
        if int(self.steps) % every == 0:
            values = {name: float(value) for name, value in self.scalars.items()}
            for logger in self.loggers:
                logger.log_metrics(values, step=int(self.queries))  # queries as the x axis

    def _log_calls(self) -> None:
        """Keep what calls cost and how they went, and show what a user waits for."""
        found = call_logs(self.queries, self.failed, self.mllm.figures())
        self.scalars |= found
        shown = {name: value for name, value in found.items() if name in SHOWN}
        self.log_dict(shown, prog_bar=True, logger=False)


def _no_nan(losses: Tensor) -> Tensor:
    """Let a loss that is not a number stand out on every rank: NaN means that a call failed."""
    return torch.where(losses.isnan(), torch.inf, losses)
