"""A key and raw pixels stay where they belong, in everything that a run leaves or sends."""

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor

from blackbox_anon.anonymizers import Identity
from blackbox_anon.callbacks import BeforeAfterImages, HistoryRecorder
from blackbox_anon.checkpoints import ExactResume
from blackbox_anon.mllms import (
    BudgetedMLLM,
    CachedMLLM,
    OpenAICompatibleMLLM,
    RawFrames,
    RetryingMLLM,
)
from blackbox_anon.server import ServiceOptions, serve
from tests.mllms_fakes import LinearMLLM
from tests.secrets.canary import BLOCK, REGION, CanaryDataModule
from tests.secrets.search import hits, in_folder, key_needles, pictures, pixel_needles
from tests.server.separate import served
from tests.tasks.parts import RecordingMLLM, make_task, make_trainer

ROOT = Path(__file__).parents[2]
CONFIGS = (ROOT / "configs" / "demo_service.yaml", Path(__file__).with_name("canaries.yaml"))
BASE_URL = "--model.init_args.mllm" + 3 * ".init_args.mllm" + ".init_args.base_url"
SMALL: dict[str, Any] = {
    "train_clips": 4,
    "val_clips": 2,
    "test_clips": 2,
    "clip_frames": 2,
    "size": 32,
}


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    key = f"sk-canary-{secrets.token_hex(16)}"
    monkeypatch.setenv("CANARY_KEY", key)
    return key


def assert_only_in_headers(recorded: Path, key: str) -> None:
    """The key is in one header of each request, and in nothing else that came in."""
    header = re.compile(rb"(?im)^authorization: bearer " + re.escape(key.encode()) + rb"\r\n")
    requests = 0
    for path in (recorded / "connections").iterdir():
        received = path.read_bytes()
        begun = len(re.findall(rb"(?:POST|GET) /\S* HTTP/1\.1\r\n", received))
        rest, headers = header.subn(b"", received)
        assert headers == begun
        assert not hits([(str(path), rest)], key_needles(key))
        requests += begun
    assert requests > 0
    assert not hits(in_folder(recorded / "bodies"), key_needles(key))


def assert_only_anonymized(recorded: Path, raw: list[Tensor]) -> int:
    """No picture that came in is a raw frame or shows the block; return how many came."""
    known = {frame.numpy().tobytes() for frame in raw}
    found = [
        frame for body in (recorded / "bodies").iterdir() for frame in pictures(body.read_bytes())
    ]
    for frame in found:
        assert frame.contiguous().numpy().tobytes() not in known
        assert not torch.equal(frame[REGION], BLOCK)
    assert not hits(in_folder(recorded), pixel_needles())
    return len(found)


def test_a_small_run_leaves_and_sends_neither(
    key: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recorded, folder = tmp_path / "recorded", tmp_path / "run"
    data = CanaryDataModule(**SMALL, batch_size=2, privacy_batch_size=4)
    model, options = RecordingMLLM(), ServiceOptions(api_key=key, record_bytes=recorded)
    with serve(LinearMLLM(model.classes, [8.0 * k for k in range(10)]), options) as running:
        service = OpenAICompatibleMLLM(
            "peopleworld", base_url=running.base_url, api_key_env="CANARY_KEY", image_tokens=85
        )
        budgeted = BudgetedMLLM(service, path=str(folder / "ledger.db"), max_queries=100)
        mllm = CachedMLLM(RetryingMLLM(budgeted), path=str(folder / "answers.db"))
        images = BeforeAfterImages(every=1, raw=False)
        trainer = make_trainer(
            folder,
            logger=TensorBoardLogger(folder),
            callbacks=[images, HistoryRecorder(), ExactResume(every_n_steps=1)],
            enable_checkpointing=True,
            limit_val_batches=1.0,
        )
        trainer.fit(make_task(mllm), data)
        shown = "".join(capfd.readouterr())
        (folder / "shown.txt").write_text(shown)
        assert not hits(in_folder(folder), key_needles(key) | pixel_needles())
        assert_only_in_headers(recorded, key)
        assert assert_only_anonymized(recorded, data.raw_frames()) > 0


def test_the_search_finds_what_is_there(key: str, tmp_path: Path) -> None:
    """What the tests above would see, if a run leaked: in every kind of file that runs leave."""
    raw = CanaryDataModule(**SMALL).raw_frames()
    marked = torch.stack(raw[:2])
    options = ServiceOptions(api_key=key, record_bytes=tmp_path / "sent")
    with serve(LinearMLLM(["walk", "run"], [0.0, 1.0]), options) as running:
        mllm = OpenAICompatibleMLLM(
            "peopleworld", base_url=running.base_url, api_key_env="CANARY_KEY"
        )
        mllm.query(RawFrames(marked, purpose="a test"), ["What?"] * 2)
    with pytest.raises(AssertionError):
        assert_only_anonymized(tmp_path / "sent", raw)
    assert hits(in_folder(tmp_path / "sent" / "bodies"), pixel_needles())
    assert hits(in_folder(tmp_path / "sent" / "connections"), key_needles(key))

    torch.save({"frames": marked.float().div(255), "note": f"Bearer {key}"}, tmp_path / "x.ckpt")
    found = hits(in_folder(tmp_path), key_needles(key) | pixel_needles())
    assert [hit for hit in found if "x.ckpt!" in hit and "float32" in hit]
    assert [hit for hit in found if "x.ckpt!" in hit and "whole" in hit]

    logger = TensorBoardLogger(tmp_path / "drawn")
    grid = BeforeAfterImages(every=1)
    data = CanaryDataModule(**SMALL, batch_size=2, privacy_batch_size=4)
    make_trainer(tmp_path, logger=logger, callbacks=[grid]).fit(make_task(), data)
    assert hits(in_folder(tmp_path / "drawn"), pixel_needles())


def test_the_raw_baseline_says_why_it_sends_raw_pixels(caplog: pytest.LogCaptureFixture) -> None:
    frames = torch.zeros(1, 3, 4, 4)
    with serve(LinearMLLM(["walk", "run"], [0.0, 1.0])) as running:
        mllm = OpenAICompatibleMLLM("peopleworld", base_url=running.base_url, api_key_env=None)
        mllm.query(Identity().release(frames), ["What?"])
    assert "raw pixels are sent to OpenAICompatibleMLLM: the raw baseline (1 clips)" in caplog.text


@pytest.mark.slow
def test_a_whole_run_leaves_and_sends_neither(key: str, tmp_path: Path) -> None:
    recorded, folder = tmp_path / "recorded", tmp_path / "run"
    folder.mkdir()
    server = ("--api-key-env=CANARY_KEY", f"--record-bytes={recorded}")
    with served(tmp_path, *server) as service:
        run = commands(folder, service.base_url)
        assert run("fit", "fit") == 0
        [checkpoint] = (folder / "runs/demo_service/version_0/checkpoints").glob("*.ckpt")
        assert run("test", "test", f"--ckpt_path={checkpoint}") == 0
        crash = "--trainer.callbacks=tests.secrets.canary.Crash"
        assert run("crash", "fit", "--seed_everything=1", crash) == 1
        assert "Traceback" in (folder / "crash.txt").read_text()
        wrong = f"sk-wrong-{secrets.token_hex(16)}"
        asks_anew = "--model.init_args.estimator.init_args.seed=2"  # nothing of it is in the cache
        assert run("refused", "fit", asks_anew, key=wrong) == 1
        assert "key is refused" in (folder / "refused.txt").read_text()
    kinds = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert kinds >= {".ckpt", ".db", ".json", ".jsonl", ".safetensors", ".txt", ".yaml"}
    assert list(folder.rglob("events.out.tfevents.*"))
    needles = key_needles(key) | pixel_needles()
    assert not hits(in_folder(folder), needles)
    assert not hits(in_folder(folder), key_needles(wrong))
    assert not hits([("server", (tmp_path / "server.txt").read_bytes())], needles)
    assert not hits([("journal", service.journal.read_bytes())], needles)
    data = CanaryDataModule(**SMALL)
    assert assert_only_anonymized(recorded, data.raw_frames()) > 0
    refused = [
        path for path in (recorded / "connections").iterdir() if wrong.encode() in path.read_bytes()
    ]
    assert refused
    for path in refused:
        path.rename(recorded / path.name)
    assert_only_in_headers(recorded, key)


def commands(folder: Path, base_url: str) -> Callable[..., int]:
    """What runs a command in ``folder`` and writes what it shows to ``<name>.txt``."""

    def run(name: str, subcommand: str, *more: str, key: str | None = None) -> int:
        configs = [f"--config={path}" for path in CONFIGS]
        command = [sys.executable, "-m", "blackbox_anon", subcommand, *configs]
        environment = os.environ | ({} if key is None else {"CANARY_KEY": key})
        with (folder / f"{name}.txt").open("w") as shown:
            done = subprocess.run(
                [*command, f"{BASE_URL}={base_url}", *more],
                cwd=folder,
                env=environment,
                stdout=shown,
                stderr=subprocess.STDOUT,
                check=False,
            )
        return done.returncode

    return run
