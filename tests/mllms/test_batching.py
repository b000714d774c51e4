"""A local model behind wrappers sees what it would see without them."""

import asyncio
import pickle
import random
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from blackbox_anon.mllms import (
    AbstractMLLM,
    AbstractWrapper,
    Answer,
    BudgetedMLLM,
    CachedMLLM,
    Request,
    Response,
    RetryingMLLM,
    as_async,
    paused,
)
from blackbox_anon.mllms import batching as batching_module
from blackbox_anon.mllms.asynchronous import event_loop
from tests.mllms.processes import PATIENCE_S
from tests.mllms.services import BatchRecorder, ScriptedService, clips, says
from tests.mllms_fakes import ConstantMLLM


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching_module, "STALLED_S", PATIENCE_S)  # a busy machine is no deadlock


class Jittery(AbstractWrapper):
    """Delays each request by a random while, as threads and disks do."""

    async def answer(self, request: Request) -> Answer:
        await asyncio.sleep(random.random() * 0.02)
        return await self.ask_inside(request)


def wrapped(mllm: AbstractMLLM, folder: Path) -> AbstractMLLM:
    paid = BudgetedMLLM(mllm, path=str(folder / "ledger.sqlite"))
    return CachedMLLM(RetryingMLLM(Jittery(paid)), path=str(folder / "cache.sqlite"))


def test_all_misses_are_the_same_batch_as_without_wrappers(tmp_path: Path) -> None:
    plain, inner = BatchRecorder(), BatchRecorder()
    mllm = wrapped(inner, tmp_path)
    for step in range(3):
        frames, prompts = clips(16, seed=step), [f"{step} {i}" for i in range(16)]
        assert mllm.query(frames, prompts) == plain.query(frames, prompts)
    for (ours, our_prompts), (theirs, their_prompts) in zip(
        inner.batches, plain.batches, strict=True
    ):
        assert torch.equal(ours, theirs)
        assert our_prompts == their_prompts


def test_hits_leave_the_batch_and_keep_the_order(tmp_path: Path) -> None:
    inner = BatchRecorder()
    mllm = wrapped(inner, tmp_path)
    frames, prompts = clips(8), [str(i) for i in range(8)]
    mllm.query(frames[2:5], prompts[2:5])
    answers = mllm.query(frames, prompts)
    assert [asked for _, asked in inner.batches] == [["2", "3", "4"], ["0", "1", "5", "6", "7"]]
    assert isinstance(answers[6], Response)
    assert answers[6].text == "6 3"
    assert (mllm.queries, inner.queries) == (11, 8)


def test_equal_requests_stand_where_the_first_of_them_stood(tmp_path: Path) -> None:
    for attempt in range(5):
        inner = BatchRecorder()
        mllm = wrapped(inner, tmp_path / str(attempt))
        frames = clips(6)
        frames[5] = frames[0]
        answers = mllm.query(frames, ["a", "b", "c", "d", "e", "a"])
        assert [asked for _, asked in inner.batches] == [["a", "b", "c", "d", "e"]]
        assert answers[0] == answers[5]


def test_loose_requests_are_collected_while_a_batch_is_answered() -> None:
    started, release = threading.Event(), threading.Event()

    class Slow(BatchRecorder):
        def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:
            started.set()
            assert release.wait(PATIENCE_S)
            return super()._respond(frames, prompts)

    inner = Slow()
    mllm = as_async(inner)

    async def ask() -> list[Answer]:
        requests = [Request(frames=clip, prompt=str(i)) for i, clip in enumerate(clips(5))]
        tasks = [asyncio.ensure_future(mllm.answer(requests[0]))]
        assert await asyncio.to_thread(started.wait, PATIENCE_S)
        tasks += [asyncio.ensure_future(mllm.answer(request)) for request in requests[1:]]
        await asyncio.sleep(0)  # all of them arrive within one turn of the loop
        release.set()
        return list(await asyncio.gather(*tasks))

    asyncio.run_coroutine_threadsafe(ask(), event_loop()).result(PATIENCE_S)
    assert [asked for _, asked in inner.batches] == [["0"], ["1", "2", "3", "4"]]


def test_clips_of_several_sizes_are_batches_of_their_own() -> None:
    inner = BatchRecorder()
    mllm = as_async(inner)
    mixed = [*clips(2), *clips(1, size=3), *clips(1)]

    async def ask() -> list[Answer]:
        requests = [Request(frames=clip, prompt=str(i)) for i, clip in enumerate(mixed)]
        return list(await asyncio.gather(*map(mllm.answer, requests)))

    answers = asyncio.run_coroutine_threadsafe(ask(), event_loop()).result(PATIENCE_S)
    assert [asked for _, asked in inner.batches] == [["0", "1"], ["2"], ["3"]]
    assert [a.text for a in answers if isinstance(a, Response)] == ["0 0", "1 1", "2 0", "3 0"]


def test_an_error_of_the_model_reaches_the_caller(tmp_path: Path) -> None:
    class Broken(BatchRecorder):
        def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:  # noqa: ARG002
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        wrapped(Broken(), tmp_path).query(clips(3), ["?"] * 3)


def test_the_callers_autocast_holds_in_the_worker(tmp_path: Path) -> None:
    found: list[torch.dtype] = []

    class Matrix(BatchRecorder):
        def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:
            found.append((torch.ones(2, 2) @ torch.ones(2, 2)).dtype)
            return super()._respond(frames, prompts)

    mllm = wrapped(Matrix(), tmp_path)
    with torch.autocast("cpu", torch.bfloat16):
        mllm.query(clips(1), ["a"])
    mllm.query(clips(1), ["b"])
    assert found == [torch.bfloat16, torch.float32]


def test_frames_of_inference_mode_are_taken(tmp_path: Path) -> None:
    inner = BatchRecorder()
    with torch.inference_mode():
        wrapped(inner, tmp_path).query(clips(2).float() / 255, ["?"] * 2)
    assert len(inner.batches) == 1


class Waiter(AbstractWrapper):
    """Holds the request ``late`` back until the others are answered."""

    def __init__(self, mllm: AbstractMLLM, *, announced: bool) -> None:
        super().__init__(mllm)
        self.announced = announced
        self.answered = 0

    async def answer(self, request: Request) -> Answer:
        if request.prompt == "late":
            if self.announced:
                with paused():
                    await self._others()
            else:
                await self._others()
        answer = await self.ask_inside(request)
        self.answered += 1
        return answer

    async def _others(self) -> None:
        while self.answered < 2:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("announced", [True, False])
def test_a_request_that_waits_for_the_others_holds_nobody_up(
    announced: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if not announced:
        monkeypatch.setattr(batching_module, "STALLED_S", 0.05)
    inner = BatchRecorder()
    mllm = Waiter(inner, announced=announced)
    mllm.query(clips(3), ["a", "late", "b"])
    assert [asked for _, asked in inner.batches] == [["a", "b"], ["late"]]
    assert ("paused()" in caplog.text) is not announced


def test_an_asynchronous_model_is_asked_directly_and_counts() -> None:
    service = ScriptedService(says("yes"))
    assert as_async(service) is service
    mllm = RetryingMLLM(service)
    mllm.query(clips(4), ["?"] * 4)
    assert (mllm.queries, service.queries) == (4, 4)
    assert service.most_at_once == 4


def test_a_used_wrapper_can_be_pickled(tmp_path: Path) -> None:
    mllm = CachedMLLM(
        RetryingMLLM(BudgetedMLLM(ConstantMLLM(), path=str(tmp_path / "ledger.sqlite"))),
        path=str(tmp_path / "cache.sqlite"),
    )
    answers = mllm.query(clips(2), ["a", "b"])
    copy = pickle.loads(pickle.dumps(mllm))
    assert copy.query(clips(2), ["a", "b"]) == answers
    assert copy.figures()["attempts"] == 2


def test_wrappers_pass_on_what_the_task_offers(tmp_path: Path) -> None:
    """The choices reach the model, and an answer among others is another question."""

    class Chooser(BatchRecorder):
        choices: tuple[str, ...] = ()

        @property
        def identity(self) -> Mapping[str, object]:
            return {"choices": list(self.choices)}

        def offer(self, choices: Sequence[str]) -> None:
            self.choices = tuple(choices)

    inner = Chooser()
    mllm = wrapped(inner, tmp_path)
    for choices in (["run"], ["run", "walk"], ["run"]):
        mllm.offer(choices)
        assert inner.choices == tuple(choices)
        mllm.query(clips(1), ["?"])
    assert inner.queries == 2
