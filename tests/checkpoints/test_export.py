"""What was exported loads as it was trained, and nothing else loads in its place."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from blackbox_anon.anonymizers import UNetAnonymizer
from blackbox_anon.checkpoints import AtomicCheckpointIO, export_anonymizer
from blackbox_anon.cli import main
from blackbox_anon.errors import BlackboxAnonError, WeightsNotFoundError
from blackbox_anon.reviewers import AttributeReviewer
from blackbox_anon.weights import load_weights
from tests.tasks.parts import assert_same_state

MADE = {"encoder": "tu-tf_mobilenetv3_small_minimal_100", "depth": 2, "width": 4}
DESCRIPTION: dict[str, Any] = {
    "config": {
        "seed_everything": 3,
        "model": {
            "class_path": "ActionRecognition",
            "init_args": {"anonymizer": {"class_path": "UNetAnonymizer", "init_args": MADE}},
        },
        "data": {"class_path": "PeopleWorldDataModule"},
    },
    "hides": ["a4_gender"],
    "versions": {"torch": "2"},
}


def make(**changed: Any) -> UNetAnonymizer:  # noqa: ANN401  # the anonymizer's own
    return UNetAnonymizer(**{**MADE, **changed})


def save(folder: Path, anonymizer: UNetAnonymizer, **content: object) -> Path:
    """A run's checkpoint."""
    state = {f"anonymizer.{name}": t for name, t in anonymizer.state_dict().items()}
    state["reviewer.weight"] = torch.zeros(2)
    AtomicCheckpointIO().save_checkpoint({"state_dict": state, **content}, folder / "run.ckpt")
    return folder / "run.ckpt"


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    path = save(tmp_path, make(), blackbox_anon=DESCRIPTION)
    main(["export", "--ckpt", str(path), "--out", str(tmp_path / "out")])
    return tmp_path / "out"


def test_loads_bit_for_bit(tmp_path: Path) -> None:
    trained = make()
    path = save(tmp_path, trained, blackbox_anon=DESCRIPTION)
    (tmp_path / "config.yaml").touch()
    (tmp_path / "results.json").write_text('{"utility": {"top1": 0.5}}')
    main(["export", "--ckpt", str(path), "--out", str(tmp_path / "out")])
    assert_same_state(trained, make(weights=str(tmp_path / "out")))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "anonymizer.safetensors",
        "card.json",
    ]
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert card["init_args"] == MADE
    assert (card["seed"], card["hides"]) == (3, ["a4_gender"])
    assert card["results"] == {"utility": {"top1": 0.5}}


@pytest.mark.parametrize("changed", [{"depth": 3}, {"width": 6}])
def test_another_architecture_is_refused(exported: Path, changed: dict[str, int]) -> None:
    [(name, value)] = changed.items()
    with pytest.raises(WeightsNotFoundError, match=rf"needs {name}=\d and not {value}"):
        make(**changed, weights=str(exported))


def test_other_weights_than_the_card_s_are_refused(exported: Path) -> None:
    path = exported / "anonymizer.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsNotFoundError, match="has sha256"):
        make(weights=str(exported))
    path.unlink()
    with pytest.raises(WeightsNotFoundError, match="has sha256 None"):
        make(weights=str(exported))


@pytest.mark.parametrize("card", ["{", "[]", "{}"])
def test_a_card_that_is_none_is_refused(exported: Path, card: str) -> None:
    (exported / "card.json").write_text(card)
    with pytest.raises(WeightsNotFoundError, match=r"`weights` must be .*card\.json"):
        make(weights=str(exported))


def test_a_reviewer_does_not_load_an_anonymizer(exported: Path) -> None:
    with pytest.raises(WeightsNotFoundError, match="is of the kind"):
        load_weights(AttributeReviewer("test_resnet", 2), str(exported), kind="reviewer")


def test_a_folder_that_exists_is_replaced_only_when_told(
    exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["export", "--ckpt", str(exported.parent / "run.ckpt"), "--out", str(exported)]
    with pytest.raises(SystemExit):
        main(args)
    assert "`--out` must be new" in capsys.readouterr().err
    (exported / "old").touch()
    main([*args, "--overwrite"])
    assert not (exported / "old").exists()
    make(weights=str(exported))


@pytest.mark.parametrize("missing", ["file", "description", "anonymizer"])
def test_what_cannot_be_exported_is_one_clear_message(
    missing: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.ckpt"
    if missing == "description":
        save(tmp_path, make())
    elif missing == "anonymizer":
        content = {"state_dict": {}, "blackbox_anon": DESCRIPTION}
        AtomicCheckpointIO().save_checkpoint(content, path)
    with pytest.raises(SystemExit):
        main(["export", "--ckpt", str(path), "--out", str(tmp_path / "out")])
    assert "blackbox-anon: `--ckpt` must " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_killed_export_leaves_nothing_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    state = {f"anonymizer.{k}": v for k, v in make().state_dict().items()}
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", die)
        with pytest.raises(KeyboardInterrupt):
            export_anonymizer(state, tmp_path / "out", description=DESCRIPTION)
    assert not (tmp_path / "out").exists()
    export_anonymizer(state, tmp_path / "out", description=DESCRIPTION)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    with pytest.raises(BlackboxAnonError, match="must be new"):
        export_anonymizer(state, tmp_path / "out", description=DESCRIPTION)
