import json
from pathlib import Path

import pytest

from blackbox_anon.callbacks import HistoryRecorder, read_history
from tests.tasks.parts import B, make_data, make_task, make_trainer


def test_one_row_per_step_with_queries(tmp_path: Path) -> None:
    recorder = HistoryRecorder()
    make_trainer(tmp_path, callbacks=[recorder]).fit(make_task(), make_data())
    assert recorder.path == tmp_path / "history.jsonl"
    history = read_history(recorder.path)
    assert history["queries"] == [2 * B, 4 * B, 6 * B]
    assert {"utility_loss", "privacy_loss", "active", "step_norm", "gradient_norm"} <= set(history)
    assert all(len(values) == 3 for values in history.values())
    assert history["step_size"] == pytest.approx([0.5 / k**0.4 for k in (1, 2, 3)])


def test_names_that_a_step_lacks_are_left_out(tmp_path: Path) -> None:
    rows = [{"a": 1.0, "b": 2.0}, {"a": 3.0}]
    (tmp_path / "h").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_history(tmp_path / "h") == {"a": [1.0, 3.0]}


def test_an_empty_history_is_empty(tmp_path: Path) -> None:
    (tmp_path / "h").write_text("")
    assert read_history(tmp_path / "h") == {}
