"""Local work while queries are in flight: the bits of a run without it, nothing left of a skip."""

import asyncio
import copy
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import Logger
from torch import Tensor
from typing_extensions import override

from blackbox_anon.errors import BudgetExhaustedError
from blackbox_anon.estimators import (
    SPSA,
    AbstractEstimator,
    ActiveSubspaceSPSA,
    AdaptiveAllocation,
    BlackBoxProblem,
    CriticalHistory,
    CriticalHistorySPSA,
    Estimate,
    FidelityGuided,
    OutputSpaceSPSA,
    SeparableCMAES,
    SkipWhilePrivate,
)
from blackbox_anon.mllms import AbstractMLLM, Answer, CachedMLLM, HuggingFaceMLLM, Request
from blackbox_anon.reviewers import AttributeReviewer
from blackbox_anon.tasks import ActionRecognition, FailurePolicy
from blackbox_anon.tasks.ahead import Ahead
from blackbox_anon.world import PeopleWorld
from tests.tasks.parts import B, RecordingMLLM, make_data, make_task, make_trainer
from tests.tasks.services import LinearService, differing

SKIPPING = FailurePolicy(too_few_pairs="skip", max_failed_share=1.0)
REPEATING = FailurePolicy(max_repeats=1, max_failed_share=1.0)


class NoisyReviewer(AttributeReviewer):
    """Draws random numbers, as one with dropout does."""

    @override
    def forward(self, frames: Tensor) -> Tensor:
        return super().forward(frames) + 0.1 * torch.randn(len(frames), self.num_attributes)


class Drawing(AbstractEstimator):
    """Another estimator; draws random numbers after the answers, as none of ours does."""

    def __init__(self, inner: AbstractEstimator) -> None:
        super().__init__()
        self.inner = inner

    @property
    @override
    def queries_per_sample(self) -> int:
        return self.inner.queries_per_sample

    @override
    def reset(self) -> None:
        self.inner.reset()

    @override
    def forward(self, theta: Tensor, problem: BlackBoxProblem) -> Estimate:
        found: Estimate = self.inner(theta, problem)
        torch.randn(3)
        return found


@dataclass
class Run:
    """A task, what its optimizers hold, and the random state it left."""

    task: ActionRecognition
    trainer: Trainer
    left: dict[str, object]


def left_by(task: ActionRecognition, trainer: Trainer) -> dict[str, object]:
    return copy.deepcopy(
        {
            "state": task.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in trainer.optimizers],
            "random": torch.get_rng_state(),
            "steps": trainer.global_step,
        }
    )


def run(folder: Path, overlap: str, *callbacks: Callback, **settings: Any) -> Run:  # noqa: ANN401  # the task's own
    of_trainer = {name: settings.pop(name) for name in ("precision", "logger") if name in settings}
    trainer = make_trainer(folder, callbacks=list(callbacks), log_every_n_steps=1, **of_trainer)
    mllm: AbstractMLLM = settings.pop("mllm", None) or LinearService()
    task = make_task(mllm, overlap=overlap, **settings)
    task.reviewer = NoisyReviewer("test_resnet", len(PeopleWorld.attributes))
    torch.manual_seed(1)
    trainer.fit(task, make_data())
    return Run(task=task, trainer=trainer, left=left_by(task, trainer))


Make = Callable[[], AbstractEstimator]
ESTIMATORS: dict[str, tuple[Make, int]] = {
    "spsa": (lambda: SPSA(0.05, num_directions=2), 4 * B),
    "critical": (lambda: CriticalHistorySPSA(0.05, capacity=2), 2 * B),
    "active-subspace": (lambda: ActiveSubspaceSPSA(rank=2, sketches=4), 2 * B),
    "guided": (lambda: FidelityGuided(ActiveSubspaceSPSA(rank=2, sketches=4)), 2 * B),
    "changes": (lambda: ActiveSubspaceSPSA(rank=2, sketches=4, sketch="changes"), 2 * B),
    "output-space": (lambda: OutputSpaceSPSA(history=CriticalHistory(0, capacity=2)), 2 * B),
    "cma-es": (lambda: SeparableCMAES(0.05, population=4), 4 * B),
    "skipping": (lambda: SkipWhilePrivate(SPSA(0.05), max_skips=1), 2 * B),
    "part": (lambda: AdaptiveAllocation(SPSA(0.05), memory=8), B),
    "drawing": (lambda: Drawing(SPSA(0.05)), 2 * B),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_bit_is_that_of_a_run_without_overlap(name: str, tmp_path: Path) -> None:
    make, count = ESTIMATORS[name]
    runs = [
        run(tmp_path, overlap, mllm=LinearService(count), estimator=make(), reviewer_steps=2)
        for overlap in ("never", "auto")
    ]
    assert not differing(runs[0].left, runs[1].left)
    assert not differing(runs[0].task.scalars, runs[1].task.scalars)
    assert runs[0].task.steps == 3


def test_so_it_is_in_bf16(tmp_path: Path) -> None:
    settings = {"precision": "bf16-mixed", "reviewer_steps": 2}
    runs = [run(tmp_path, overlap, **settings) for overlap in ("never", "auto")]
    assert not differing(runs[0].left, runs[1].left)


@pytest.mark.parametrize(
    ("policy", "lost"),
    [(SKIPPING, {1}), (REPEATING, {1}), (REPEATING, {0, 1, 2, 3, 4, 5})],
    ids=["skip", "repeat", "all"],
)
def test_steps_that_were_given_up_or_repeated_leave_the_same_bits(
    policy: FailurePolicy, lost: set[int], tmp_path: Path
) -> None:
    runs = [
        run(tmp_path, overlap, mllm=LinearService(lost=lost), failures=policy)
        for overlap in ("never", "auto")
    ]
    assert not differing(runs[0].left, runs[1].left)
    if len(lost) == 6:
        assert runs[1].trainer.global_step == 0
        assert not any(optimizer.state for optimizer in runs[1].trainer.optimizers)


class Keep(Callback):
    """What a run held when it ended by an error."""

    left: dict[str, object]

    @override
    def on_exception(self, trainer: Trainer, pl_module: Any, exception: BaseException) -> None:
        del exception
        self.left = left_by(pl_module, trainer)


def test_a_service_that_stops_the_run_leaves_the_state_before_the_step(tmp_path: Path) -> None:
    kept: list[Any] = []
    for overlap in ("never", "auto"):
        keep = Keep()
        mllm = LinearService(broken=(1, BudgetExhaustedError("the cap is reached")))
        with pytest.raises(BudgetExhaustedError):
            run(tmp_path, overlap, keep, mllm=mllm)
        assert len(mllm.asked) == 2 * mllm.per_query
        kept.append(keep.left)
    assert not differing(*kept)


class Fail(Callback):
    """Fails in the second step's local work, after the reviewer took its step."""

    @override
    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        del trainer
        look, looks = pl_module.reviewer.privacy_loss, []

        def fail_next(frames: Tensor) -> Tensor:
            looks.append(frames)
            if len(looks) == 2:
                raise RuntimeError("of a callback")
            found: Tensor = look(frames)
            return found

        pl_module.reviewer.privacy_loss = fail_next


def test_an_error_in_the_local_work_undoes_it_and_waits_for_the_answers(tmp_path: Path) -> None:
    plain = run(tmp_path, "never", mllm=LinearService(lost={1, 2}), failures=SKIPPING)
    keep, mllm = Keep(), LinearService()
    with pytest.raises(RuntimeError, match="of a callback"):
        run(tmp_path, "auto", keep, Fail(), mllm=mllm)
    assert len(mllm.asked) == 2 * mllm.per_query
    weights = "reviewer.backbone."
    ours, theirs = keep.left["state"], plain.left["state"]
    assert isinstance(ours, dict)
    assert isinstance(theirs, dict)
    trained = [name for name in ours if name.startswith(weights)]
    assert trained
    assert all(torch.equal(ours[name], theirs[name]) for name in trained)
    assert not differing(keep.left["optimizers"], plain.left["optimizers"])
    assert keep.left["steps"] == plain.left["steps"] == 2


class Unhurried(LinearService):
    """Answers when the reviewer has learned for this step, and not before."""

    def __init__(self, learned: threading.Semaphore) -> None:
        super().__init__()
        self.learned, self.begun = learned, 0

    @override
    async def answer(self, request: Request) -> Answer:
        self.begun += 1
        if self.begun % self.per_query == 0:  # one of a query's requests
            found = await asyncio.to_thread(self.learned.acquire, timeout=60)
            assert found, "no local work while the query was in flight"
        return await super().answer(request)


class Patient(LinearService):
    """Answers nothing before all of a step's requests are there."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.complete = asyncio.Event()

    @override
    async def _answer_all(self, requests: Any, gathering: Any, handed: threading.Event) -> Any:
        self.sizes.append(len(requests))
        handed.set()
        if sum(self.sizes) % self.per_query == 0:
            self.complete.set()
        else:
            self.complete.clear()
        await asyncio.wait_for(self.complete.wait(), 60)
        return await super()._answer_all(requests, gathering, handed)


@pytest.mark.parametrize("estimator", [SPSA(0.05), FidelityGuided(SPSA(0.05))])
def test_a_service_is_asked_about_the_first_samples_before_the_rest_is_ready(
    estimator: AbstractEstimator, tmp_path: Path
) -> None:
    mllm = Patient()
    found = run(tmp_path, "auto", mllm=mllm, estimator=estimator)
    assert found.task.steps == 3
    assert mllm.sizes == [1, 1, 2] * 3  # each version of one clip of two, and both of the other
    assert found.task.queries == mllm.queries == 12
    assert found.task.seen["anonymized"].shape == found.task.seen["raw"].shape
    assert found.task.seen["scores"].shape == (4,)


class Written(Logger):
    """Keeps what it gets, and how many steps were made by then."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[int, dict[str, float]]] = []

    @property
    @override
    def name(self) -> str:
        return "written"

    @property
    @override
    def version(self) -> int:
        return 0

    @override
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        assert step is not None
        self.lines.append((step, metrics))

    @override
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        del args, kwargs


class Shown(Callback):
    """Keeps what the progress bar and other callbacks find at the end of each step."""

    def __init__(self) -> None:
        self.found: list[tuple[float, float, float]] = []

    @override
    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *args: Any) -> None:
        del args
        name = "train/utility_loss"
        shown = trainer.progress_bar_metrics[name]
        assert isinstance(shown, float)
        own, told = pl_module.scalars[name], trainer.callback_metrics[name]
        self.found.append((float(own), float(told), shown))


def test_the_loggers_get_every_step_and_the_progress_bar_the_one_that_is_done(
    tmp_path: Path,
) -> None:
    loggers, shown = (Written(), Written()), (Shown(), Shown())
    for overlap, logger, seen in zip(("never", "auto"), loggers, shown, strict=True):
        run(tmp_path, overlap, seen, logger=logger)
        assert [step for step, _ in logger.lines] == [4, 8, 12]
        assert all(own == told == bar for own, told, bar in seen.found)
    assert not differing(loggers[0].lines, loggers[1].lines)
    assert shown[0].found == shown[1].found
    assert len(set(shown[0].found)) == 3


@pytest.mark.parametrize("overlap", ["never", "auto"])
def test_a_run_that_is_stopped_has_logged_every_step(overlap: str, tmp_path: Path) -> None:
    logger = Written()
    mllm = LinearService(broken=(1, BudgetExhaustedError("the cap is reached")))
    with pytest.raises(BudgetExhaustedError):
        run(tmp_path, overlap, mllm=mllm, logger=logger)
    assert [step for step, _ in logger.lines] == [4]


class Learning(Callback):
    """Tells a service of every reviewer's step."""

    def __init__(self, learned: threading.Semaphore) -> None:
        self.learned = learned

    @override
    def on_before_optimizer_step(self, trainer: Trainer, pl_module: Any, optimizer: Any) -> None:
        del pl_module
        if optimizer is trainer.optimizers[1]:
            self.learned.release()


@pytest.mark.parametrize("overlap", ["auto", "always"])
def test_the_reviewer_learns_while_a_service_is_asked(overlap: str, tmp_path: Path) -> None:
    learned = threading.Semaphore(0)
    found = run(tmp_path, overlap, Learning(learned), mllm=Unhurried(learned))
    assert found.task.steps == 3


def test_a_local_model_is_asked_first_unless_told_otherwise(tmp_path: Path) -> None:
    def overlaps(mllm: AbstractMLLM, overlap: str) -> bool:
        return make_task(mllm, overlap=overlap)._overlaps

    service, local = LinearService(), RecordingMLLM()
    wrapped = CachedMLLM(service, path=str(tmp_path / "answers.db"))
    assert overlaps(service, "auto")
    assert overlaps(wrapped, "auto")
    roomy = HuggingFaceMLLM("peopleworld", cpu_workers=2)
    assert overlaps(roomy, "auto")
    assert overlaps(CachedMLLM(roomy, path=str(tmp_path / "roomy.db")), "auto")
    assert not overlaps(HuggingFaceMLLM("peopleworld"), "auto")
    assert overlaps(local, "always")
    assert not overlaps(local, "auto")
    assert not overlaps(service, "never")
    with pytest.raises(ValueError, match=r"`overlap` must be one of .*; found 'sometimes'"):
        make_task(local, overlap="sometimes")


def test_threads_of_a_local_model_leave_the_bits_of_one_after_the_other(tmp_path: Path) -> None:
    """Where everything else has one core as well."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        runs = [
            run(
                tmp_path,
                overlap,
                mllm=HuggingFaceMLLM("peopleworld", max_new_tokens=1, device="cpu", cpu_workers=2),
                estimator=FidelityGuided(ActiveSubspaceSPSA(rank=2, sketches=4, group_size=2)),
            )
            for overlap in ("never", "auto")
        ]
    finally:
        torch.set_num_threads(before)
    assert runs[0].task.steps == 3
    assert not differing(runs[0].left, runs[1].left)


def test_a_wrapped_local_model_may_overlap_too(tmp_path: Path) -> None:
    runs = []
    for overlap in ("never", "always"):
        wrapped = CachedMLLM(RecordingMLLM(), path=str(tmp_path / f"{overlap}.db"))
        runs.append(run(tmp_path, overlap, mllm=wrapped))
    assert not differing(runs[0].left, runs[1].left)


def test_work_is_done_once_and_undone_where_nobody_takes_it() -> None:
    value, count = torch.zeros(1), torch.zeros(1)

    def keep() -> Callable[[], object]:
        before = value.clone()
        return lambda: value.copy_(before)

    def work() -> float:
        count.add_(1)
        value.copy_(torch.rand(1))
        return value.item()

    torch.manual_seed(3)
    expected = torch.rand(2).tolist()
    torch.manual_seed(3)
    with Ahead(work, keep=keep, device=torch.device("cpu")) as ahead:
        ahead.do()
        ahead.do()
        assert ahead.take() == pytest.approx(expected[0], abs=0)
    assert [count.item(), torch.rand(1).item()] == [1, expected[1]]
    kept = value.clone()

    def interrupted() -> None:
        with Ahead(work, keep=keep, device=torch.device("cpu")) as ahead:
            ahead.do()
            assert not torch.equal(value, kept)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert torch.equal(value, kept)
