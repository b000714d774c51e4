"""What decides an answer is named, and other weights have another name."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from blackbox_anon.mllms import HuggingFaceMLLM
from blackbox_anon.mllms.local.fingerprint import BLOCK, BLOCKS, fingerprint


def test_a_copy_has_the_same_fingerprint(tiny_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_folder, tmp_path / "copy")
    (copy / "README.md").write_text("words")

    assert fingerprint(str(copy)) == fingerprint(str(tiny_folder))


def test_other_weights_of_the_same_size(tiny_folder: Path, tmp_path: Path) -> None:
    """Read in full or by blocks: a step of training moves every value."""
    copy = shutil.copytree(tiny_folder, tmp_path / "trained")
    weights = {k: v * 1.001 for k, v in load_file(copy / "model.safetensors").items()}
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    sizes = [(f / "model.safetensors").stat().st_size for f in (copy, tiny_folder)]

    assert sizes[0] == sizes[1]
    assert fingerprint(str(copy)) != fingerprint(str(tiny_folder))


def test_large_files_are_read_in_blocks(tmp_path: Path) -> None:
    """The first, the last and the blocks between count; what lies between blocks does not."""
    size = 3 * BLOCK * BLOCKS
    content = bytearray(size)
    found = []
    for position in (None, 0, size - 1, BLOCK + 1):
        changed = bytearray(content)
        if position is not None:
            changed[position] = 1
        (tmp_path / "model.safetensors").write_bytes(changed)
        found.append(fingerprint(str(tmp_path)))

    assert len({*found[:3]}) == 3
    assert found[3] == found[0]


def test_a_cached_snapshot_is_named_by_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folders are those of the hub's own cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    stored = tmp_path / "models--someone--something"
    (stored / "refs").mkdir(parents=True)
    (stored / "refs" / "main").write_text("c0ffee")
    (stored / "snapshots" / "c0ffee").mkdir(parents=True)
    (stored / "snapshots" / "c0ffee" / "config.json").write_text("{}")

    assert fingerprint("someone/something") == "c0ffee"
    assert fingerprint("nobody/nothing") is None
    assert fingerprint("no name/of/the hub") is None


def test_what_decides_an_answer(tiny_folder: Path) -> None:
    plain = HuggingFaceMLLM(str(tiny_folder))
    same = HuggingFaceMLLM(str(tiny_folder), batch_size=3, device="cpu", choices=["walk"])
    others = [
        HuggingFaceMLLM(str(tiny_folder), dtype="float16"),
        HuggingFaceMLLM(str(tiny_folder), max_new_tokens=3),
        HuggingFaceMLLM(str(tiny_folder), prompt_template="<video> {question}"),
        HuggingFaceMLLM(str(tiny_folder), frames_as="images"),
        HuggingFaceMLLM(str(tiny_folder), max_pixels=9),
        HuggingFaceMLLM(str(tiny_folder), num_logprobs=3),
        HuggingFaceMLLM(str(tiny_folder), grey_box=True),
        HuggingFaceMLLM(str(tiny_folder), grey_box=True, choices=["walk"]),
        HuggingFaceMLLM(str(tiny_folder), grey_box=True, choices=["walk"], likelihood="mean"),
        HuggingFaceMLLM("peopleworld"),
    ]

    assert plain.identity == same.identity
    assert len({json.dumps(mllm.identity) for mllm in [plain, *others]}) == 1 + len(others)
    assert HuggingFaceMLLM("peopleworld").identity["path"] == "peopleworld"  # no machine's path
