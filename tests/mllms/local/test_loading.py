"""Where weights come from, where they go, and what is said if there are none."""

import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoProcessor

from blackbox_anon.errors import MLLMError, WeightsNotFoundError
from blackbox_anon.mllms import HuggingFaceMLLM


@pytest.fixture
def frames() -> Tensor:
    return torch.randint(0, 256, (2, 2, 3, 28, 28), dtype=torch.uint8)


def test_chooses_a_device(tiny_folder: Path, frames: Tensor) -> None:
    auto = HuggingFaceMLLM(str(tiny_folder))
    auto.query(frames[:1], ["?"])

    assert auto._loaded is not None
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert auto._loaded.model.device.type == expected


def test_pickles_without_weights(tiny_folder: Path, frames: Tensor) -> None:
    mllm = HuggingFaceMLLM(str(tiny_folder), device="cpu")
    before = mllm.query(frames, ["?"] * 2)
    sent = pickle.dumps(mllm)

    assert len(sent) < 2000
    copy = pickle.loads(sent)
    assert copy.queries == mllm.queries
    assert copy.query(frames, ["?"] * 2) == before


@pytest.mark.parametrize("path", ["no/such", "no-such-model", "/no/such/folder", "a b/c"])
def test_missing_weights(path: str) -> None:
    mllm = HuggingFaceMLLM(path, local_files_only=True)
    with pytest.raises(WeightsNotFoundError, match=f"`path` must be .* found '{path}'") as caught:
        mllm.query(torch.rand(1, 3, 28, 28), ["?"])

    assert "\n" not in str(caught.value)


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFoundError, match="`path` must be a folder with a saved model"):
        HuggingFaceMLLM(str(tmp_path)).query(torch.rand(1, 3, 28, 28), ["?"])


@pytest.mark.parametrize(
    ("shape", "message"), [(None, "lacks weights such as lm_head"), ((3, 3), "found")]
)
def test_lacking_weights_are_not_made_up(
    shape: tuple[int, int] | None, message: str, tiny_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "lacking")
    weights = load_file(folder / "model.safetensors")
    del weights["language_model.lm_head.weight"]
    if shape is not None:
        weights["language_model.lm_head.weight"] = torch.zeros(shape)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(WeightsNotFoundError, match=message) as caught:
        HuggingFaceMLLM(str(folder)).query(torch.rand(1, 3, 28, 28), ["?"])

    assert "\n" not in str(caught.value)


def test_needs_a_model_that_reads_frames(
    tiny_folder: Path, frames: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor = AutoProcessor.from_pretrained(tiny_folder)
    processor.video_processor = processor.image_processor = None
    monkeypatch.setattr(AutoProcessor, "from_pretrained", lambda *_, **__: processor)

    with pytest.raises(MLLMError, match="`path` must name a model that reads images or video"):
        HuggingFaceMLLM(str(tiny_folder)).query(frames, ["?"] * 2)


def test_a_device_map_needs_its_package(
    tiny_folder: Path, frames: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blackbox_anon.mllms.local.loading.find_spec", lambda _: None)

    with pytest.raises(MLLMError, match="`device_map` needs the package accelerate"):
        HuggingFaceMLLM(str(tiny_folder), device_map="auto").query(frames, ["?"] * 2)


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="`batch_size` must be at least 1; found 0"):
        HuggingFaceMLLM("x", batch_size=0)
    with pytest.raises(ValueError, match="`max_new_tokens` must be at least 1; found 0"):
        HuggingFaceMLLM("x", max_new_tokens=0)
    with pytest.raises(ValueError, match="`num_logprobs` must be at least 0; found -1"):
        HuggingFaceMLLM("x", num_logprobs=-1)
    with pytest.raises(ValueError, match=r"`prompt_template` must contain '\{question\}'"):
        HuggingFaceMLLM("x", prompt_template="USER:")
    with pytest.raises(ValueError, match="`max_pixels` must be at least 1; found 0"):
        HuggingFaceMLLM("x", max_pixels=0)
    with pytest.raises(ValueError, match="`device` must be 'auto' where `device_map` is given"):
        HuggingFaceMLLM("x", device="cpu", device_map="auto")
