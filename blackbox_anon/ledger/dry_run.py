"""``blackbox-anon fit --dry-run``: what a run would ask and cost; nothing is sent."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.utilities import CombinedLoader

from blackbox_anon.errors import BlackboxAnonError
from blackbox_anon.ledger.caps import Amounts
from blackbox_anon.ledger.forecast import Forecast, format_duration, format_forecast
from blackbox_anon.ledger.prices import find_price
from blackbox_anon.ledger.reading import Measured, read_measured, read_summary
from blackbox_anon.ledger.run_length import expected_queries
from blackbox_anon.mllms import AbstractMLLM, BudgetedMLLM, Request, Usage, layers, to_uint8
from blackbox_anon.tasks import BlackBoxAnonymization
from blackbox_anon.types import UtilityBatch

TYPICAL_OUTPUT = 16
"""Tokens of a short answer, where no ledger knows better."""


def main(args: Sequence[str]) -> None:
    """Build a config, read one batch of its data, and print what a fit would ask and cost.

    Args:
        args: Those of ``fit``, with ``--dry-run``, and ``--rate`` or ``--latency``.

    Raises:
        BlackboxAnonError: If the config is not one of a task that asks a black box.
    """
    from blackbox_anon.lightning_cli import run

    parsed, rest = _parser().parse_known_args(args)
    if parsed.command != "fit":
        raise BlackboxAnonError(f"`--dry-run` must come with fit; found {parsed.command}")
    built: Any = run(rest, execute=False)
    if not isinstance(built.model, BlackBoxAnonymization):
        found = type(built.model).__name__
        raise BlackboxAnonError(
            f"`--dry-run` must have a task that asks a black box; found {found}"
        )
    budget = _budget(built.model.mllm)
    measured = _measured(budget)
    forecast = _forecast(built.model, built.datamodule, built.trainer, measured)
    lines = [
        "What this run would ask (nothing was sent):",
        "",
        format_forecast(forecast),
        "",
        _about_one(forecast, measured),
        _about_time(forecast, measured, rate=parsed.rate, latency_s=parsed.latency),
        _about_caps(forecast, budget),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("command")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--rate", type=float, help="answers a second")
    parser.add_argument("--latency", type=float, help="seconds that all queries of a step take")
    parser.add_argument("--ckpt_path", help="ignored: the whole run is forecast")
    return parser


def _forecast(
    task: BlackBoxAnonymization,
    data: LightningDataModule,
    trainer: Trainer,
    measured: Measured | None,
) -> Forecast:
    data.prepare_data()
    data.setup("fit")
    task.offer_choices(data)  # what may be answered stands in every request
    loader: CombinedLoader = data.train_dataloader()
    batch = next(iter(loader))[0]["utility"]
    queries, rounds = expected_queries(task, loader, data.val_dataloader()[0], trainer)
    worst = _worst_case(task, batch)
    typical = (float(worst.input_tokens), float(min(worst.output_tokens, TYPICAL_OUTPUT)))
    if measured is not None:
        typical = (measured.input_tokens, measured.output_tokens)
    budget = _budget(task.mllm)
    model = str(task.mllm.identity.get("model", ""))
    price = find_price(model) if budget is None else budget.price
    return Forecast(queries=queries, rounds=rounds, worst=worst, typical=typical, price=price)


def _budget(mllm: AbstractMLLM) -> BudgetedMLLM | None:
    return next((layer for layer in layers(mllm) if isinstance(layer, BudgetedMLLM)), None)


def _measured(budget: BudgetedMLLM | None) -> Measured | None:
    if budget is None or not Path(budget.path).is_file():
        return None
    return read_measured(budget.path, budget.model)


def _worst_case(task: BlackBoxAnonymization, batch: UtilityBatch) -> Usage:
    """The worst case of one training batch: its frames as they are, not anonymized, not sent."""
    frames = to_uint8(batch["frames"])
    clips = frames if frames.ndim == 5 else frames.unsqueeze(1)
    cases = [
        task.mllm.worst_case(Request(frames=clip, prompt=prompt))
        for clip, prompt in zip(clips, task.prompts(batch), strict=True)
    ]
    return Usage(
        input_tokens=max(case.input_tokens for case in cases),
        output_tokens=max(case.output_tokens for case in cases),
    )


def _about_one(forecast: Forecast, measured: Measured | None) -> str:
    if forecast.worst == Usage():
        return "The black box is local: a query is not billed."
    worst, (typical_in, typical_out) = forecast.worst, forecast.typical
    source = "assumed" if measured is None else f"mean of {measured.answers} in the ledger"
    return (
        f"One query: {typical_in:.0f} + {typical_out:.0f} tokens ({source}), "
        f"at worst {worst.input_tokens} + {worst.output_tokens}. Repeated attempts come on top, "
        "answers in a cache off."
    )


def _about_time(
    forecast: Forecast, measured: Measured | None, *, rate: float | None, latency_s: float | None
) -> str:
    given = rate is not None or latency_s is not None
    if measured is not None and not given:
        rate = measured.per_second
    seconds = forecast.seconds(per_second=rate, latency_s=latency_s)
    if seconds is None:
        return "Time of the queries: give --rate (answers a second) or --latency (seconds a step)."
    source = "at the speed given" if given else "as fast as in the ledger"
    return f"Time of the queries: {format_duration(seconds)}, {source}."


def _about_caps(forecast: Forecast, budget: BudgetedMLLM | None) -> str:
    if budget is None:
        return "No cap: put the black box into a BudgetedMLLM."
    spent = Amounts()
    if Path(budget.path).is_file():
        summary = read_summary(budget.path)
        spent = summary.spent + summary.reserved
    typical, worst = (
        forecast.affordable(budget.caps, spent, worst=worst) for worst in (False, True)
    )
    if worst == forecast.total:
        return "The caps suffice."
    if typical == forecast.total:
        return f"The caps suffice if queries cost what is expected; at worst for {worst} of them."
    return f"The caps end the run after about {typical} queries, at worst after {worst}."
