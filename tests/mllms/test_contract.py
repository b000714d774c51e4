from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from blackbox_anon.mllms import AbstractMLLM, HuggingFaceMLLM, Response, check_black_box
from tests.mllms_fakes import ConstantMLLM


class ModuleMLLM(nn.Module, AbstractMLLM):
    def __init__(self) -> None:
        nn.Module.__init__(self)
        AbstractMLLM.__init__(self)
        self.layer = nn.Linear(2, 2)

    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:  # noqa: ARG002
        return [Response(text="yes") for _ in prompts]


class OpenMLLM(ConstantMLLM):
    def state_dict(self) -> dict[str, Tensor]:
        return {}


class Task(nn.Module):
    def __init__(self, mllm: AbstractMLLM) -> None:
        super().__init__()
        self.anonymizer = nn.Linear(2, 2)
        self.mllm = mllm


@pytest.mark.parametrize(
    ("mllm", "message"),
    [
        (ModuleMLLM(), "`mllm` must not be an nn.Module.*found ModuleMLLM"),
        (nn.Linear(2, 2), "`mllm` must not be an nn.Module.*found Linear"),
        (OpenMLLM(), "`mllm` must not offer state_dict; found OpenMLLM"),
        (torch.zeros(1), "`mllm` must be an AbstractMLLM; found Tensor"),
        (None, "`mllm` must be an AbstractMLLM; found NoneType"),
    ],
)
def test_refuses_what_can_be_looked_into(mllm: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        check_black_box(mllm)


def test_a_loaded_model_stays_outside_the_task(tiny_folder: Path) -> None:
    mllm = HuggingFaceMLLM(str(tiny_folder), device="cpu")
    task = Task(mllm)
    for _ in range(2):  # before and after the weights are loaded
        check_black_box(mllm)
        assert set(task.state_dict()) == {"anonymizer.weight", "anonymizer.bias"}
        assert {name for name, _ in task.named_parameters()} == set(task.state_dict())
        assert [type(m).__name__ for m in task.modules()] == ["Task", "Linear"]
        mllm.query(torch.rand(1, 2, 3, 28, 28), ["?"])
