"""Does a run over a service end where the local one ends, and what do failed calls cost it?

``python -m benchmarks.service_runs equal`` trains ``demo.yaml`` with its local black box and with
``OpenAICompatibleMLLM`` against ``mllm-server``, one clip at a time in both; ``batched`` lets both
batch; ``faults`` has a fifth of the calls fail, in all twelve ways; ``bare`` the same without
retries. Every command is a process of its own. Bars: the same weights bit for bit; losses within
1e-5 over 20 steps; with faults the run finishes, every attempt is in the ledger, as many answers
are scored as sound replies were sent, and Top-1 stays within the 95 % interval of the run without.

A run that is through in ``--out`` is not made again; one that was interrupted must be removed.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.rehearsal.accounts import outcomes, read_counts, reconcile
from benchmarks.rehearsal.configs import (
    Config,
    arguments_of,
    local_config,
    service_config,
    shorten,
)
from benchmarks.rehearsal.processes import Fitted, fit, found, serving
from benchmarks.rehearsal.utility import DemoUtility

LOSSES = ("utility_loss", "privacy_loss")
FAULTS = ("--faults", 0.216, "--fault", "drip=0.002", "--retry-after-s", 0.2, "--drip-s", 60)
TIMEOUT_S = 15.0  # what each drip costs; few of them, as the run stands still meanwhile
NO_RETRIES = {"max_attempts": 1}


class Bench:
    """Makes runs below one folder, or finds them made.

    Args:
        out: The folder.
        steps: Of a run; ``None``: the whole config.
        threads: Of either side's model.
    """

    def __init__(self, out: Path, *, steps: int | None = None, threads: int = 1) -> None:
        self.out, self.steps, self.threads = out.resolve(), steps, threads

    def local(self, name: str, *, batch_size: int | None) -> Fitted:
        """Train with the local black box."""
        return self._fit(local_config(batch_size=batch_size), name)

    def service(self, name: str, *server: object, **changes: Config) -> Fitted:
        """Train over a service of its own.

        Args:
            name: Of the run.
            server: Arguments of ``mllm-server``.
            changes: To the config, see ``service_config``.
        """
        made = found(self.out / name)
        if made is not None:
            return made
        arguments = ("--journal", self.journal(name), *server)
        log = self.out / f"{name}.server.txt"
        with serving(log, *arguments, threads=self.threads) as served:
            fitted = self._fit(service_config(served.base_url, **changes), name)
        (self.out / f"{name}.stats.json").write_text(json.dumps(served.stats), encoding="utf-8")
        return fitted

    def journal(self, name: str) -> Path:
        """Where the server of a run writes down what it received."""
        return self.out / f"{name}.journal.jsonl"

    def account(self, name: str) -> dict[str, Any]:
        """Compare what server, ledger and task say about a run over a service."""
        fitted = self.service(name)
        config = service_config("")
        both = reconcile(
            self.journal(name), fitted.folder / arguments_of(config)["BudgetedMLLM"]["path"]
        )
        counted = read_counts(fitted.logs, validated=config["data"]["init_args"]["val_clips"])
        answers = outcomes(both.book.found)["response"]
        hits = int(fitted.history[-1]["mllm/cache_hits"])
        return {
            "seconds": round(fitted.seconds),
            "received": outcomes(both.journal.sent).total(),
            "attempts": outcomes(both.book.found).total(),
            "meant": dict(outcomes(both.journal.sent)),
            "booked": dict(outcomes(both.book.found)),
            "faults": dict(both.journal.faults),
            "late": both.late,
            "states": dict(both.book.states),
            "tokens": {"billed": both.journal.tokens, "booked": both.book.tokens},
            "task": {**asdict(counted), "scored": counted.scored},
            "cache_hits": hits,
            "differences": both.differences(),
            "scored_are_responses": counted.scored == answers + hits,
        }

    def _fit(self, config: Config, name: str) -> Fitted:
        made = found(self.out / name)
        if made is not None:
            return made
        if self.steps is not None:
            shorten(config, self.steps)
        return fit(config, self.out / name, threads=self.threads)


def compare(one: Fitted, other: Fitted) -> dict[str, Any]:
    """Tell whether two runs ended with the same bits, and how far their losses were apart."""
    pairs = list(zip(one.history, other.history, strict=True))
    apart = {name: max(abs(a[name] - b[name]) for a, b in pairs) for name in LOSSES}
    return {
        "steps": len(pairs),
        "same_weights": one.sha256 == other.sha256,
        "weights": [one.sha256, other.sha256],
        "largest_difference": apart,
        "steps_alike": next(
            (i for i, (a, b) in enumerate(pairs) if any(a[n] != b[n] for n in LOSSES)), len(pairs)
        ),
        "seconds": [round(one.seconds), round(other.seconds)],
    }


def equal(bench: Bench) -> dict[str, Any]:
    """One clip at a time, in both."""
    local = bench.local("local", batch_size=1)
    return {**compare(local, bench.service("service")), "account": bench.account("service")}


def batched(bench: Bench, *, batch_size: int = 8) -> dict[str, Any]:
    """Batches in both: the local ones are full, the server's are filled up."""
    local = bench.local("local_batched", batch_size=batch_size)
    server = ("--batch-size", batch_size, "--batch-window-s", 0.02)
    service = bench.service("service_batched", *server)
    stats = json.loads((bench.out / "service_batched.stats.json").read_text(encoding="utf-8"))
    return {**compare(local, service), "batches": stats["batches"]}


def faults(bench: Bench) -> dict[str, Any]:
    """A fifth of the calls fails; retries as the config has them."""
    sound = bench.service("service")
    faulty = bench.service("faulty", *FAULTS, service={"timeout_s": TIMEOUT_S})
    tested = DemoUtility()
    ours, theirs = (tested.top1(run.logs / "anonymizer") for run in (faulty, sound))
    gain, half = ours.gain_over(theirs)
    return {
        "account": bench.account("faulty"),
        "top1": {"faults": ours.value, "ci95": ours.ci95},
        "top1_without": {"value": theirs.value, "ci95": theirs.ci95},
        "paired_difference": {"value": gain, "half_ci95": half},
        "within_noise": theirs.ci95[0] <= ours.value <= theirs.ci95[1],
    }


def bare(bench: Bench) -> dict[str, Any]:
    """The same without retries: every failure reaches the estimator."""
    bench.service("bare", *FAULTS, service={"timeout_s": TIMEOUT_S}, retrying=NO_RETRIES)
    return {"account": bench.account("bare")}


QUESTIONS = {"equal": equal, "batched": batched, "faults": faults, "bare": bare}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("question", choices=QUESTIONS)
    parser.add_argument("--out", type=Path, default=Path("runs/service_runs"))
    parser.add_argument("--steps", type=int, help="of each run (default: the whole config)")
    parser.add_argument("--threads", type=int, default=1, help="of either side's model")
    given = parser.parse_args(arguments)
    bench = Bench(given.out, steps=given.steps, threads=given.threads)
    print(json.dumps(QUESTIONS[given.question](bench), indent=2))


if __name__ == "__main__":
    main()
