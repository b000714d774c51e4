"""The task that README shows is the text that is run here."""

import re
from pathlib import Path

import torch

from blackbox_anon.mllms import HuggingFaceMLLM
from blackbox_anon.tasks import BlackBoxAnonymization
from blackbox_anon.world.scene import PLACES
from tests.tasks.parts import RecordingMLLM, make_data, make_parts, make_trainer

README = Path(__file__).parents[2] / "README.md"


def readme_task() -> tuple[str, type[BlackBoxAnonymization]]:
    text = README.read_text(encoding="utf-8")
    found = re.search(
        r"<!-- custom-task -->\s*```python\n(.*?)```\s*<!-- /custom-task -->", text, re.DOTALL
    )
    assert found is not None
    names: dict[str, type[BlackBoxAnonymization]] = {"__name__": "readme"}  # type: ignore[dict-item]  # a module's
    exec(compile(found[1], "README.md", "exec"), names)
    return found[1], names["PlaceRecognition"]


def test_under_thirty_lines() -> None:
    text, _ = readme_task()
    assert len(text.splitlines()) < 30


def test_trains_with_a_fake(tmp_path: Path) -> None:
    _, cls = readme_task()
    mllm = RecordingMLLM(PLACES)
    task = cls(**make_parts(mllm))
    before = torch.cat([p.detach().flatten().clone() for p in task.trained])
    make_trainer(tmp_path, limit_train_batches=1).fit(task, make_data())
    assert task.steps == 1
    assert mllm.asked[0][1] == ["Where is this?"] * 4
    assert task.chance_score == 0.25
    assert not torch.equal(before, torch.cat([p.detach().flatten() for p in task.trained]))


def test_trains_with_the_shipped_mllm(tmp_path: Path) -> None:
    _, cls = readme_task()
    mllm = HuggingFaceMLLM("peopleworld", dtype="float32", max_new_tokens=2)
    task = cls(**make_parts(mllm))
    data = make_data(size=64, clip_frames=8)
    make_trainer(tmp_path, limit_train_batches=1).fit(task, data)
    assert task.queries == mllm.queries == 4
