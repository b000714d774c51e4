from pathlib import Path

from blackbox_anon.checkpoints.log_files import cut_back, log_sizes


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_ckpt", ".ckpt")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def left(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def test_what_came_later_is_forgotten_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").write_text("one\n")
    write(tmp_path, checkpoints__epoch0_ckpt="whole", checkpoints__last_ckpt="old", config="kept")
    sizes = log_sizes(tmp_path)
    (tmp_path / "history.jsonl").write_text("one\ntwo\n")
    (tmp_path / "events.out.tfevents.2").write_text("later")
    write(tmp_path, checkpoints__epoch1_ckpt="later", checkpoints__last_ckpt="longer", note="mine")
    cut_back(tmp_path, sizes)
    assert left(tmp_path) == {
        "history.jsonl": "one\n",
        "checkpoints/epoch0.ckpt": "whole",
        "checkpoints/last.ckpt": "longer",  # written whole: a part of it would be none
        "config": "kept",
        "note": "mine",
    }


def test_a_run_that_begins_again_finds_no_checkpoint_in_its_way(tmp_path: Path) -> None:
    sizes = log_sizes(tmp_path)
    write(tmp_path, checkpoints__epoch0_ckpt="of a life that saved nothing to go on from")
    cut_back(tmp_path, sizes)
    assert left(tmp_path) == {}
