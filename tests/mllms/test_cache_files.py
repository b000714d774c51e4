"""Which files are taken for a cache."""

import pickle
import sqlite3
from pathlib import Path

import pytest

from blackbox_anon.errors import StoreError
from blackbox_anon.ledger import Ledger
from tests.mllms.caching import cached
from tests.mllms.services import ScriptedService, clips, says


def test_other_files_are_refused_and_left_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    mllm = cached(ScriptedService(says("yes")), tmp_path)

    def refused() -> str:
        before = path.read_bytes()
        with pytest.raises(StoreError, match="`path` must be a cache of answers") as caught:
            mllm.query(clips(1), ["?"])
        assert path.read_bytes() == before
        return str(caught.value)

    path.write_bytes(b"garbage" * 1000)
    assert "not a database" in refused()
    path.write_bytes(pickle.dumps({"answer": "yes"}))
    refused()
    path.unlink()
    foreign = sqlite3.connect(path)
    foreign.execute("CREATE TABLE t (x)")
    foreign.close()
    assert "another SQLite file" in refused()
    path.unlink()
    Ledger(path, run="r").close()
    assert "another SQLite file" in refused()


def edit(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_another_version_is_refused(tmp_path: Path) -> None:
    mllm = cached(ScriptedService(says("yes")), tmp_path)
    mllm.query(clips(1), ["?"])
    mllm.close()
    edit(tmp_path / "cache.sqlite", "PRAGMA user_version = 2")
    with pytest.raises(StoreError, match=r"of version 1; .* is of version 2"):
        mllm.query(clips(1), ["?"])


@pytest.mark.parametrize("value", ["{", "[]", '{"text": 3, "top_logprobs": null, "usage": null}'])
def test_a_damaged_answer_is_noticed(value: str, tmp_path: Path) -> None:
    mllm = cached(ScriptedService(says("yes")), tmp_path)
    mllm.query(clips(1), ["?"])
    mllm.close()
    edit(tmp_path / "cache.sqlite", f"UPDATE answers SET answer = '{value}'")
    with pytest.raises(StoreError, match="holds no answer at"):
        mllm.query(clips(1), ["?"])
    mllm.close()


def test_the_file_is_nobody_elses(tmp_path: Path) -> None:
    cached(ScriptedService(says("yes")), tmp_path).query(clips(1), ["?"])
    assert (tmp_path / "cache.sqlite").stat().st_mode & 0o077 == 0
