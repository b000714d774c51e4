"""The method: an anonymizer trained against a black box and a privacy reviewer."""

import torch
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer
from typing_extensions import override

from blackbox_anon.anonymizers import UNetAnonymizer
from blackbox_anon.estimators import AbstractEstimator, BlackBoxProblem, CriticalHistorySPSA
from blackbox_anon.estimators.functional import power_decay
from blackbox_anon.judges import AbstractJudge
from blackbox_anon.mllms import AbstractMLLM
from blackbox_anon.reviewers import AbstractReviewer
from blackbox_anon.scalarizations import AbstractScalarization, AugmentedTchebycheff
from blackbox_anon.tasks import parameters as flat
from blackbox_anon.tasks.abstract import AbstractTask
from blackbox_anon.tasks.step_logs import step_logs
from blackbox_anon.types import PairBatch, PrivacyBatch, UtilityBatch


class BlackBoxAnonymization(AbstractTask):
    """Trains an anonymizer so that a black box still answers and a reviewer does not.

    One step on a :class:`~blackbox_anon.types.PairBatch`:

    1. the reviewer takes ``reviewer_steps`` steps on anonymized images of the privacy batch;
    2. ``h_k``, the gradient of L_privacy, comes by backpropagation through the reviewer;
    3. the estimator asks the black box about the utility batch: ``(1 + I_k) g_tilde_k``;
    4. the scalarization combines both (Eq. 11) and the optimizer steps with ``a_k`` (Eq. 12).

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

    Reference:
        Sec. 3.5 of "When Visual Privacy Protection Meets Multimodal Large Language Models",
        IJCV 2026.
    """

    steps: Tensor
    queries: Tensor
    privacy_steps: Tensor

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
    ) -> None:
        super().__init__(anonymizer, reviewer, mllm, privacy_judge=privacy_judge)
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
        for counter in ("steps", "queries", "privacy_steps"):
            self.register_buffer(counter, torch.zeros((), dtype=torch.int64))
        self.scalars: dict[str, Tensor] = {}
        """What the last step logged, ``train/...`` and ``mllm/queries``; each a scalar."""
        self.seen: dict[str, Tensor] = {}
        """The last step's ``raw`` and ``anonymized`` frames and ``scores``, for callbacks."""

    @override
    def configure_optimizers(self) -> list[Optimizer]:
        return [
            self.anonymizer_optimizer(self.trained),
            self.reviewer_optimizer(self.reviewer.parameters()),
        ]

    @override
    def training_step(self, batch: PairBatch, batch_idx: int) -> None:
        anonymizer_optimizer, reviewer_optimizer = self._optimizers()
        anonymized = self(batch["privacy"]["frames"])  # for both parties: neither changes it
        for _ in range(self.reviewer_steps):
            self._step_reviewer(reviewer_optimizer, anonymized.detach(), batch["privacy"])
        with self.toggled_optimizer(anonymizer_optimizer):
            anonymizer_optimizer.zero_grad()
            privacy_loss, privacy_gradient = self._privacy(anonymized)
            estimate = self.estimator(flat.flatten(self.trained), self.problem(batch["utility"]))
            values = torch.stack([estimate.loss.float(), privacy_loss.float()])
            scales = values.new_tensor(self.gradient_scales).unsqueeze(1)
            gradients = scales * torch.stack([estimate.gradient, privacy_gradient])
            combined = self.scalarization(values, gradients)
            self._step_anonymizer(anonymizer_optimizer, combined.gradient)
        self.steps += 1
        self.queries += self._over_ranks(self.queries.new_tensor(estimate.queries), "sum")
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

        def losses(evaluated: Tensor) -> Tensor:
            times = len(evaluated) // len(prompts)
            responses = self.mllm.query(evaluated, prompts * times)
            parts = [responses[i * len(prompts) :][: len(prompts)] for i in range(times)]
            self.seen["anonymized"] = evaluated[: len(prompts)]
            self.seen["scores"] = torch.cat([self.response_scores(p, batch) for p in parts])
            found = torch.cat([self.response_losses(part, batch) for part in parts])
            return found.to(evaluated.device)

        return BlackBoxProblem(
            anonymize=anonymize,
            losses=losses,
            mean_over_ranks=lambda values: self._over_ranks(values, "mean"),
        )

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
        queries = self.queries.float()
        more = {
            "train/privacy_active_share": self.privacy_steps / self.steps,
            "train/utility_score": self.seen["scores"].float().mean(),
            "train/output_std": self.seen["anonymized"].float().std(dim=(-2, -1)).mean(),
            "train/input_std": self.seen["raw"].float().std(dim=(-2, -1)).mean(),
            "mllm/queries": queries,
        }
        self.scalars |= {k: v.detach() for k, v in (logs | more).items()}
        shown = ("train/utility_loss", "train/privacy_loss", "train/active", "train/dead_pairs")
        headline = {name: logs[name] for name in shown if name in logs} | {"mllm/queries": queries}
        self.log_dict(headline, prog_bar=True, logger=False)
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined]  # set by a connector
        if int(self.steps) % every == 0:
            values = {name: float(value) for name, value in self.scalars.items()}
            for logger in self.loggers:
                logger.log_metrics(values, step=int(self.queries))  # queries as the x axis
