"""The black box knows which answers are possible before it is asked, and for questions: any."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from blackbox_anon.mllms import Response
from tests.tasks.parts import RecordingMLLM, make_data, make_task, make_trainer
from tests.tasks.test_vqa import Oracle, make_pair, make_vqa


class ChoosingMLLM(RecordingMLLM):
    """Keeps what was offered whenever it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.offered: Sequence[str] = ["of an earlier task"]
        self.held: list[list[str]] = []

    def offer(self, choices: Sequence[str]) -> None:
        self.offered = choices

    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:
        self.held.append(list(self.offered))
        return super()._respond(frames, prompts)


class ChoosingOracle(Oracle):
    """The same, and answers questions."""

    def __init__(self) -> None:
        super().__init__()
        self.offered: Sequence[str] = ["of an earlier task"]

    def offer(self, choices: Sequence[str]) -> None:
        self.offered = choices

    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:
        assert not self.offered
        return super()._respond(frames, prompts)


def test_classes_are_offered_in_training_validation_and_test(tmp_path: Path) -> None:
    mllm = ChoosingMLLM()
    task, data, trainer = make_task(mllm), make_data(), make_trainer(tmp_path, limit_val_batches=1)
    trainer.fit(task, data)
    trainer.test(task, data, verbose=False)
    assert len(mllm.held) > 3
    assert all(held == task.classes == data.classes for held in mllm.held)


def test_given_classes_are_offered(tmp_path: Path) -> None:
    mllm = ChoosingMLLM()
    classes = [name.upper() for name in make_data().classes]
    trainer = make_trainer(tmp_path, limit_train_batches=1)
    trainer.fit(make_task(mllm, classes=classes), make_data())
    assert mllm.held == [classes]


def test_questions_may_be_answered_freely(
    okvqa_root: Path, vispr_root: Path, tmp_path: Path
) -> None:
    mllm, trainer = ChoosingOracle(), make_trainer(tmp_path)
    trainer.fit(make_vqa(mllm), make_pair(okvqa_root, vispr_root))
    assert mllm.queries > 0


def test_a_test_of_questions_is_not_held_to_the_given_classes(
    okvqa_root: Path, vispr_root: Path, tmp_path: Path
) -> None:
    mllm = ChoosingOracle()
    task = make_task(mllm, classes=["walk", "run"], scorer=None)
    make_trainer(tmp_path).test(task, make_pair(okvqa_root, vispr_root), verbose=False)
    assert mllm.queries > 0
    assert not mllm.offered
