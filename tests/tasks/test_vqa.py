"""Questions are asked as configured, answers scored as the official evaluation does."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from torch import Tensor

from blackbox_anon.datamodules import (
    OKVQADataModule,
    PairedDataModule,
    UCF101DataModule,
    VISPRDataModule,
)
from blackbox_anon.decoding import ClipReader
from blackbox_anon.judges import RetrainedClassifier
from blackbox_anon.mllms import Response
from blackbox_anon.scorers import AnswerSimilarity, CharacterNGramEncoder
from blackbox_anon.tasks import QuestionAnswering, VisualQuestionAnswering
from tests.mllms_fakes import TextOnlyMLLM
from tests.tasks.parts import make_parts, make_task, make_trainer

SMALL: dict[str, Any] = {"batch_size": 2, "num_workers": 0}


class Oracle(TextOnlyMLLM):
    """Answers by the question; the brightness of the picture turns the answer's end."""

    said: ClassVar = {
        "sport": "A tennis.",
        "holiday": "Easter",
        "worn": "hat",
        "hairstyle": "braid",
    }

    def __init__(self) -> None:
        super().__init__()
        self.prompts: list[str] = []

    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:
        self.prompts += prompts
        texts = [next((v for k, v in self.said.items() if k in p), "none") for p in prompts]
        brightness = frames.float().flatten(1).mean(1).round().int().tolist()
        return [
            Response(text=text if "sport" in prompt else f"{text}{'!' * (light % 3)}")
            for text, prompt, light in zip(texts, prompts, brightness, strict=True)
        ]


def make_vqa(mllm: Oracle, **kwargs: Any) -> VisualQuestionAnswering:  # noqa: ANN401  # the task's own
    return VisualQuestionAnswering(
        **make_parts(mllm), privacy_judge=RetrainedClassifier(steps=1), **kwargs
    )


def make_pair(okvqa_root: Path, vispr_root: Path) -> PairedDataModule:
    return PairedDataModule(
        OKVQADataModule(str(okvqa_root), size=32, answers="raw_answer", **SMALL),
        VISPRDataModule(str(vispr_root), size=32, **SMALL),
        test_privacy=OKVQADataModule(str(okvqa_root), size=32, **SMALL),
    )


def test_trains_and_tests(okvqa_root: Path, vispr_root: Path, tmp_path: Path) -> None:
    mllm = Oracle()
    task, data = make_vqa(mllm), make_pair(okvqa_root, vispr_root)
    trainer = make_trainer(tmp_path)
    trainer.fit(task, data)
    assert task.steps == 2
    suffix = "\nAnswer the question using a single word or phrase."
    assert all(prompt.endswith(suffix) for prompt in mllm.prompts)
    found: dict[str, float] = {}
    for part in trainer.test(task, data, verbose=False):
        found |= part
    # tennis 8 of 10: 1; Easter: 0; hat 2 of 10: 0.6
    assert found["test/vqa_accuracy"] == pytest.approx(1.6 / 3)
    assert found["test/utility_score"] == pytest.approx(1.6 / 3)
    assert 0 < found["test/utility_loss"] < 1
    assert {"test/cmap_ap_retrained", "test/class_mean_precision_retrained"} <= found.keys()
    written = json.loads((tmp_path / "results.json").read_text())
    assert written["utility"]["vqa_variant"] == "official"
    assert written["utility"]["vqa_accuracy"] == pytest.approx(1.6 / 3)
    assert written["utility"]["samples"] == 3
    assert written["privacy"]["samples"] == 4
    assert written["privacy"]["absent_attributes"] == [
        "a9_face_complete",
        "a12_semi_nudity",
        "a64_rel_personal",
    ]


def test_losses_and_scores_of_one_batch(okvqa_root: Path) -> None:
    data = OKVQADataModule(str(okvqa_root), size=32, **SMALL)
    batch = next(iter(data.loader(data.dataset("test", "utility"))))
    said = [Response(text="tennis"), Response(text="the CHRISTMAS")]
    for aggregation in ("mean", "max"):
        similarity = AnswerSimilarity(CharacterNGramEncoder(), aggregation)
        task = make_vqa(Oracle(), questions=QuestionAnswering(similarity=similarity))
        expected = similarity.losses(said, batch["answers"])
        assert task.response_losses(said, batch).tolist() == expected.tolist()
        assert task.response_scores(said, batch).tolist() == [1, 1]


def test_action_recognition_is_tested_on_questions(
    okvqa_root: Path, ucf_root: Path, vispr_root: Path, tmp_path: Path
) -> None:
    clips = UCF101DataModule(str(ucf_root), reader=ClipReader(size=32), **SMALL)
    tested = OKVQADataModule(str(okvqa_root), size=32, answers="raw_answer", **SMALL)
    data = PairedDataModule(
        clips,
        VISPRDataModule(str(vispr_root), size=32, **SMALL),
        test_utility=tested,
        test_privacy=OKVQADataModule(str(okvqa_root), size=32, **SMALL),
    )
    mllm = Oracle()
    task = make_task(mllm, scorer=None)
    trainer = make_trainer(tmp_path)
    trainer.fit(task, data)
    assert set(mllm.prompts) == {"What is the person doing?"}
    assert len(task.classes) == 3
    found: dict[str, float] = {}
    for part in trainer.test(task, data, verbose=False):
        found |= part
    assert found["test/vqa_accuracy"] == pytest.approx(1.6 / 3)
    assert "test/top1" not in found
    assert "vqa_variant" in json.loads((tmp_path / "results.json").read_text())["utility"]


def test_a_prompt_must_ask() -> None:
    with pytest.raises(ValueError, match=r"`prompt` must contain '\{question\}'; found 'x'"):
        QuestionAnswering("x")
    with pytest.raises(ValueError, match="variant: expected one of"):
        QuestionAnswering(variant="offical")  # type: ignore[arg-type]  # the point
