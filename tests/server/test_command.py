import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml
from torch import Tensor

from blackbox_anon.cli import main
from blackbox_anon.server import Running, ServiceOptions
from blackbox_anon.server.command import _options, _parser, describe
from tests.server.asking import body


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--faults", "2"], 1, "`faults` must be shares"),
        (["--fault", "404=0.1"], 1, "`--fault` must be KIND=SHARE"),
        (["--fault", "500=many"], 1, "many"),
        (["--api-key-env", "NO_SUCH_NAME"], 1, "NO_SUCH_NAME holds none"),
        (["--latency-s", "1", "2", "3"], 1, "must be one or two times; found 3"),
        (["--max-new-tokens", "0"], 1, "`max_new_tokens` must be at least 1; found 0"),
        (["--path", "/no/such/folder"], 1, "/no/such/folder"),
        (["--structured", "anthropic"], 2, "invalid choice"),
        (["--seeed", "1"], 2, "unrecognized arguments"),
    ],
)
def test_wrong_arguments_are_named(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["mllm-server", *arguments])
    assert stopped.value.code == code
    assert message in capsys.readouterr().err


def test_arguments_reach_the_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REHEARSAL_KEY", "sk-1")
    given = (
        "--model m --api-key-env REHEARSAL_KEY --structured vllm --max-images 3 --batch-size 4"
        " --tokens-per-image 9 --batch-window-s 0.5 --faults 0.12 --fault 500=0.3 --seed 7"
        " --retry-after-s 2 --drip-s 3 --latency-s 0.5 1.5 --rate 8 --burst 5 --fsync --port 1"
        f" --journal {tmp_path}/j --record-bytes {tmp_path}/b"
    )
    options = _options(_parser().parse_args(given.split()))
    assert options.faults.keys() >= {"500", "reset"}
    assert options.faults["500"] == 0.3
    assert options.faults["reset"] == pytest.approx(0.01)
    assert options == ServiceOptions(
        model="m",
        api_key="sk-1",
        structured="vllm",
        max_images=3,
        batch_size=4,
        tokens_per_image=9,
        batch_window_s=0.5,
        faults=options.faults,
        seed=7,
        retry_after_s=2.0,
        drip_s=3.0,
        latency_s=(0.5, 1.5),
        rate_per_s=8.0,
        burst=5,
        fsync=True,
        port=1,
        journal=tmp_path / "j",
        record_bytes=tmp_path / "b",
    )


def test_one_latency_is_fixed() -> None:
    options = _options(_parser().parse_args(["--latency-s", "1.5"]))
    assert options.latency("aa", 0) == options.latency("bb", 3) == 1.5


def test_the_config_line_can_be_pasted() -> None:
    def none() -> object:
        raise AssertionError

    shown = describe(Running(8089, ServiceOptions(api_key="sk-1"), none))  # type: ignore[arg-type]  # not asked
    [line] = re.findall(r"config +(.*)", shown)
    assert yaml.safe_load(line) == {
        "mllm": {
            "class_path": "OpenAICompatibleMLLM",
            "init_args": {"base_url": "http://127.0.0.1:8089/v1", "model": "peopleworld"},
        }
    }
    assert "sk-1" not in shown


@pytest.mark.skipif(os.name == "nt", reason="signals to a process are POSIX")
def test_serves_until_ctrl_c(clip: Tensor, tmp_path: Path) -> None:
    """From the shell: says where it is, answers, and ends cleanly with its sums."""
    command = [sys.executable, "-W", "ignore", "-m", "blackbox_anon", "mllm-server"]
    journal = tmp_path / "journal.jsonl"
    with subprocess.Popen(
        [*command, "--journal", str(journal)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        base_url = next(
            found[0] for line in process.stdout if (found := re.match(r"http\S+/v1", line))
        )
        request = urllib.request.Request(f"{base_url}/chat/completions", body(clip))
        with urllib.request.urlopen(request) as reply:
            assert json.load(reply)["choices"]
        process.send_signal(signal.SIGINT)
        *_, sums = process.communicate(timeout=600)[0].splitlines()
    assert process.returncode == 0
    assert json.loads(sums)["answered"] == 1
    assert len(journal.read_text().splitlines()) == 1
