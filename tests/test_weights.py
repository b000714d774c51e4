import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from blackbox_anon.errors import WeightsNotFoundError
from blackbox_anon.weights import load_weights, save_weights, weights_path


def make(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def assert_equal(first: nn.Module, second: nn.Module) -> None:
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name


def test_safetensors_round_trip_leaves_no_partial_file(tmp_path: Path) -> None:
    path, other = tmp_path / "new" / "w.safetensors", make(1)
    save_weights(make(0), path)
    load_weights(other, str(path), kind="anonymizer")
    assert_equal(make(0), other)
    assert [file.name for file in path.parent.iterdir()] == ["w.safetensors"]


def test_half_precision_files_are_read_as_float32(tmp_path: Path) -> None:
    path, other = tmp_path / "w.safetensors", make(1)
    save_file(
        {k: v.half() if v.is_floating_point() else v for k, v in make().state_dict().items()}, path
    )
    load_weights(other, str(path), kind="anonymizer")
    assert other[0].weight.dtype == torch.float32
    torch.testing.assert_close(other[0].weight, make()[0].weight, rtol=1e-3, atol=1e-4)


def test_the_kind_is_taken_from_a_task_checkpoint(tmp_path: Path) -> None:
    parts = {"anonymizer": make(0), "reviewer": make(1)}
    state = {f"{k}.{n}": t for k, m in parts.items() for n, t in m.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 1}, tmp_path / "run.ckpt")
    for kind, expected in parts.items():
        module = make(2)
        load_weights(module, str(tmp_path / "run.ckpt"), kind=kind)
        assert_equal(expected, module)


@pytest.mark.parametrize("kind", ["anonymizer", "reviewer"])
def test_shipped_weights_are_files(kind: str) -> None:
    assert weights_path("peopleworld", kind).is_file()


class Surprise:
    def __reduce__(self) -> tuple[type[Path], tuple[str]]:
        return Path, ("harmless",)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("garbage.safetensors", b"garbage"),
        ("empty.safetensors", b""),
        ("garbage.ckpt", b"garbage"),
        ("noise.ckpt", bytes(range(256))),
        ("empty.ckpt", b""),
        ("pickled.ckpt", pickle.dumps(Surprise(), protocol=2)),
    ],
)
def test_what_is_no_weights_file_is_one_clear_message(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsNotFoundError, match=f"`weights` must be .*{name}") as caught:
        load_weights(make(), str(tmp_path / name), kind="anonymizer")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [{}, {"model": 1}, [1], torch.zeros(2)])
def test_a_checkpoint_without_state_is_one_clear_message(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(WeightsNotFoundError, match=r"`weights` must be .*other\.ckpt"):
        load_weights(make(), str(tmp_path / "other.ckpt"), kind="anonymizer")


def test_a_checkpoint_without_the_kind_says_which(tmp_path: Path) -> None:
    torch.save({"state_dict": {"other.x": torch.zeros(1)}}, tmp_path / "other.ckpt")
    with pytest.raises(WeightsNotFoundError, match=r"must hold the part 'reviewer'"):
        load_weights(make(), str(tmp_path / "other.ckpt"), kind="reviewer")


def test_a_missing_file_names_the_alternatives() -> None:
    with pytest.raises(WeightsNotFoundError, match=r"one of \['peopleworld'\] or a file; found 'x"):
        load_weights(make(), "x.ckpt", kind="anonymizer")


def test_another_architecture_is_one_clear_message(tmp_path: Path) -> None:
    save_weights(nn.Linear(4, 4), tmp_path / "w.safetensors")
    with pytest.raises(WeightsNotFoundError, match="`weights` must fit Sequential") as caught:
        load_weights(make(), str(tmp_path / "w.safetensors"), kind="anonymizer")
    assert "\n" not in str(caught.value)
