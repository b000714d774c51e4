"""What a user types about money: ``ledger``, ``--dry-run``, and how an exhausted budget ends."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from blackbox_anon.cli import main
from blackbox_anon.errors import TooManyFailuresError
from blackbox_anon.ledger import read_summary
from blackbox_anon.mllms import Usage
from tests.mllms.services import PRICES
from tests.tasks.parts import RecordingMLLM

FAKE = str(Path(__file__).parent / "configs" / "fake.yaml")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["blackbox-anon"])  # Lightning warns that both are given
    monkeypatch.chdir(tmp_path)


class BilledMLLM(RecordingMLLM):
    """A local fake with a worst case, as a service has: it depends on what may be answered."""

    offered: Sequence[str] = ()

    @property
    def identity(self) -> dict[str, object]:
        return {"model": "m"}

    def offer(self, choices: Sequence[str]) -> None:
        self.offered = choices

    def worst_case(self, request: object) -> Usage:
        del request
        assert len(self.offered) > 1
        return Usage(input_tokens=100, output_tokens=50)


def paid_config(**caps: float) -> str:
    """The fake config with a ledger around its black box."""
    mllm = {
        "class_path": "BudgetedMLLM",
        "init_args": {
            "mllm": {"class_path": "tests.test_cli_ledger.BilledMLLM"},
            "path": "ledger.sqlite",
            "prices": PRICES,
            **caps,
        },
    }
    config = yaml.safe_load(Path(FAKE).read_text())
    config["model"]["init_args"]["mllm"] = mllm
    Path("paid.yaml").write_text(yaml.safe_dump(config))
    return "paid.yaml"


def test_a_config_wraps_and_a_second_run_pays_nothing() -> None:
    config = yaml.safe_load(Path(paid_config(max_cost_usd=100.0)).read_text())
    budgeted = config["model"]["init_args"]["mllm"]
    retrying = {"mllm": budgeted, "max_attempts": 3, "retry": ["timeout"]}
    config["model"]["init_args"]["mllm"] = {
        "class_path": "CachedMLLM",
        "init_args": {
            "mllm": {"class_path": "RetryingMLLM", "init_args": retrying},
            "path": "cache.sqlite",
        },
    }
    Path("cached.yaml").write_text(yaml.safe_dump(config))
    main(["fit", "-c", "cached.yaml"])
    attempts = read_summary("ledger.sqlite").attempts()
    main(["fit", "-c", "cached.yaml"])
    assert 0 < attempts == read_summary("ledger.sqlite").attempts()


def ended(*args: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(args))
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_an_exhausted_budget_ends_with_a_code_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = paid_config(max_cost_usd=1.7)  # one step of 4 queries at 0.2 USD, and another
    assert ended("fit", "-c", config) == 3
    message = capsys.readouterr().err
    assert "Traceback" not in message
    assert "blackbox-anon: the cap of money is reached: 1.70 USD is the cap, 1.60 USD" in message
    assert read_summary("ledger.sqlite").attempts() == 8
    main(["ledger", "ledger.sqlite"])
    shown = capsys.readouterr().out
    assert "response  billed" in shown
    assert "1.60 USD" in shown
    assert ended("fit", "-c", config) == 3  # a restart does not begin a new budget
    assert read_summary("ledger.sqlite").attempts() == 8


def test_too_many_failures_end_with_a_code_of_their_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise TooManyFailuresError("9 of 10 calls failed")

    monkeypatch.setattr("blackbox_anon.lightning_cli.run", fail)
    assert ended("fit", "-c", FAKE) == 4
    assert capsys.readouterr().err == "blackbox-anon: 9 of 10 calls failed\n"


def test_a_ledger_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("ledger", "none.sqlite") == 1
    assert "`path` must be a ledger" in capsys.readouterr().err


def row_of(shown: str, name: str) -> list[str]:
    [row] = [line for line in shown.splitlines() if line.startswith(name)]
    return row.removeprefix(name).split()


def test_a_dry_run_sends_nothing_and_knows_the_cost(capsys: pytest.CaptureFixture[str]) -> None:
    config = paid_config(max_cost_usd=3.0)
    main(["fit", "-c", config, "--dry-run", "--latency=2"])
    shown = capsys.readouterr().out
    assert [path.name for path in Path().iterdir()] == ["paid.yaml"]  # no ledger, no log
    main(["fit", "-c", config])
    attempts = read_summary("ledger.sqlite").attempts()
    queries, typical, worst, cost, _, cost_worst, _ = row_of(shown, "in all")
    assert int(queries) == attempts
    assert (int(typical), int(worst)) == (116 * attempts, 150 * attempts)
    assert float(cost) == pytest.approx(0.132 * attempts)
    assert float(cost_worst) == pytest.approx(0.2 * attempts)
    assert "The caps suffice." in shown
    assert "Time of the queries: 8 s, at the speed given." in shown  # 3 steps, 1 validation batch

    main(["fit", "-c", config, "--dry-run"])
    shown = capsys.readouterr().out
    assert "100 + 50 tokens (mean of 14 in the ledger)" in shown
    assert "as fast as in the ledger" in shown
    assert "The caps end the run after about 1 queries, at worst after 1." in shown


def test_a_dry_run_of_something_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("test", "-c", FAKE, "--dry-run") == 1
    assert "`--dry-run` must come with fit; found test" in capsys.readouterr().err


def test_a_local_model_costs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    main(["fit", "-c", FAKE, "--dry-run"])
    shown = capsys.readouterr().out
    assert "The black box is local" in shown
    assert "give --rate" in shown
