"""Where does a training step's time go, and does anything cost more than asking the black box?

``python benchmarks/step_overhead.py`` runs the training of ``demo.yaml``, or of ``--config``, with
timers around the task's own methods. A timer counts what its method does itself, without the timed
methods that it calls, so the rows add up; waiting for the workers that draw clips is in the rest.
What is done while a query is in flight has rows of its own ("meanwhile"), and the black box's row
is the wait for answers. Outside the black box is the time in which no query is in flight. The bars:
no longer than the time in which one is, and 40 % of a step; ``--overlap never`` does one after the
other.

``--service-latency 1`` asks a service that answers after 1 s instead, with the cache, the retries
and the ledger of ``demo_service.yaml``, whatever the config asks. A query is in flight then while
it is being written, looked up, reserved, sent or answered. The bar: outside 2 % of a step.
"""

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import yaml
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.cli import LightningCLI

import blackbox_anon.lightning_cli  # noqa: F401  # its imports make short class names known
from benchmarks.clocks import Between, InFlight, Stopwatch, ThreadTime
from benchmarks.loopback import loopback
from blackbox_anon.allocator import keep_memory
from blackbox_anon.configs_path import find_config
from blackbox_anon.estimators import CriticalHistory
from blackbox_anon.mllms import AbstractAsyncMLLM, HuggingFaceMLLM
from blackbox_anon.services.transport import Transport
from blackbox_anon.tasks import ActionRecognition

BLACK_BOX = "black box query"
SERVICE = "demo_service.yaml"
REST = "rest (Lightning's loop, data)"


def measure(
    warmup: int,
    steps: int,
    folder: str,
    config: str = "demo.yaml",
    *,
    more: Iterable[str] = (),
) -> dict[str, Any]:
    """Run the demo's training for a few steps and return milliseconds per step by part."""
    cli = demo(warmup + steps, folder, config, more)
    task, queries = cli.model, InFlight()
    assert isinstance(task.mllm, HuggingFaceMLLM)
    task.mllm._answer_all = queries.timed(task.mllm._answer_all)  # type: ignore[method-assign]  # a timer
    clocks = {"in flight": lambda: queries.seconds}
    clock = fit(task, cli.trainer, cli.datamodule, warmup, steps, clocks)
    total, in_flight = clock.seconds["total"], clock.seconds["in flight"]
    return {
        **parts(task, clock),
        "overlap": task._overlaps,
        "in_flight_ms_per_step": 1000 * in_flight / steps,
        "outside_share": 1 - in_flight / total,
        "outside_to_black_box": total / in_flight - 1,
    }


def measure_service(
    warmup: int,
    steps: int,
    folder: str,
    latency_s: float,
    *,
    config: str = SERVICE,
    more: Iterable[str] = (),
) -> dict[str, Any]:
    """Run the training of a config against a slow service.

    Args:
        warmup: Steps that are not counted.
        steps: Steps that are.
        folder: For logs, cache and ledger.
        latency_s: Time from request to reply.
        config: Any of the embedded world: the service and its wrappers are ``demo_service.yaml``'s.
        more: Further arguments of the command line.

    Returns:
        Milliseconds per step by part, and the shares of a step in which no query is in flight, and
        in which no request is on the wire.
    """
    queries, requests, asking = InFlight(), InFlight(), ThreadTime()
    with (
        loopback(latency_s) as service,
        patch.object(Transport, "post", requests.timed_coroutine(Transport.post)),
    ):
        wrapped = f"--model.init_args.mllm={json.dumps(_wrapped_service())}"
        arguments = [wrapped, *service_arguments(folder, service.base_url), *more]
        cli = demo(warmup + steps, folder, config, arguments)
        task = cli.model
        assert isinstance(task.mllm, AbstractAsyncMLLM)
        task.mllm._answer_all = queries.timed_coroutine(task.mllm._answer_all)  # type: ignore[method-assign]  # a timer
        task.mllm.query = asking.timed(task.mllm.query)  # type: ignore[method-assign,misc]  # the same
        clocks = {
            "in flight": lambda: queries.seconds,
            "on the wire": lambda: requests.seconds,
            "thread": lambda: time.thread_time() - asking.seconds,
        }
        clock = fit(task, cli.trainer, cli.datamodule, warmup, steps, clocks)
        calls = service.stats()["received"]
    total = clock.seconds["total"]
    return {
        **parts(task, clock),
        "service_latency_s": latency_s,
        "overlap": task.overlap,
        "calls": calls,
        "outside_share": 1 - clock.seconds["in flight"] / total,
        "outside_ms_per_step": 1000 * (total - clock.seconds["in flight"]) / steps,
        "outside_cpu_ms_per_step": 1000 * clock.seconds["thread"] / steps,
        "off_the_wire_share": 1 - clock.seconds["on the wire"] / total,
    }


def _wrapped_service() -> dict[str, Any]:
    config = yaml.safe_load(Path(find_config(SERVICE)).read_text(encoding="utf-8"))
    wrapped: dict[str, Any] = config["model"]["init_args"]["mllm"]
    return wrapped


def service_arguments(folder: str, base_url: str) -> list[str]:
    """Return what to add to ``demo_service.yaml``: its files in ``folder``, another address."""
    arguments, inside = "--model.init_args.mllm.init_args", ".mllm.init_args"
    return [
        f"{arguments}.path={folder}/answers.db",
        f"{arguments}{2 * inside}.path={folder}/ledger.db",
        f"{arguments}{3 * inside}.base_url={base_url}",
    ]


def fit(
    task: ActionRecognition,
    trainer: Trainer,
    data: LightningDataModule,
    warmup: int,
    steps: int,
    clocks: Mapping[str, Callable[[], float]] | None = None,
) -> Between:
    """Train for ``warmup`` and ``steps`` with timers around everything, and return them."""
    on_gpu = trainer.strategy.root_device.type == "cuda"
    watch = Stopwatch(torch.cuda.synchronize if on_gpu else None, around=BLACK_BOX)
    _time_task(watch, task)
    _time_surroundings(watch, trainer)
    clock = Between(watch, warmup, steps, clocks)
    trainer.callbacks.append(clock)  # type: ignore[attr-defined]  # a list
    trainer.fit(task, data)
    return clock


def parts(task: ActionRecognition, clock: Between) -> dict[str, Any]:
    """Return milliseconds per step by part, their sum, and where they were measured."""
    spent = {name: 1000 * seconds / clock.steps for name, seconds in clock.parts.items()}
    total = 1000 * clock.seconds["total"] / clock.steps
    spent[REST] = total - sum(spent.values())
    return {
        "ms_per_step": dict(sorted(spent.items(), key=lambda item: -item[1])),
        "total_ms_per_step": total,
        "history_mb": _history_megabytes(task),
        "steps": clock.steps,
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }


def demo(steps: int, folder: str, config: str, more: Iterable[str] = ()) -> LightningCLI:
    """Make a config's task, data and trainer, to be trained for ``steps``."""
    return LightningCLI(
        LightningModule,
        LightningDataModule,
        subclass_mode_model=True,
        subclass_mode_data=True,
        auto_configure_optimizers=False,
        save_config_callback=None,
        run=False,
        args=[
            f"--config={find_config(config)}",
            f"--trainer.limit_train_batches={steps}",
            "--trainer.max_epochs=1",  # one that is measured
            "--trainer.limit_val_batches=0",
            "--trainer.enable_progress_bar=false",
            f"--trainer.logger.init_args.save_dir={folder}",
            f"--trainer.default_root_dir={folder}",
            *more,
        ],
    )


def _time_task(watch: Stopwatch, task: ActionRecognition) -> None:
    watch.time("step glue", task, "training_step")
    watch.time("anonymizing the privacy batch", task, "forward")
    watch.time(BLACK_BOX, task.mllm, "query")
    watch.time("scoring", task, "response_losses", "response_scores")
    watch.time("encoder features", task.anonymizer, "features")
    watch.time("decoder", task.anonymizer, "decode")
    watch.time("privacy forward and backward", task._privacy_side, "differentiate")
    watch.time("reviewer step", task._privacy_side, "step_reviewer")
    watch.time("estimator and history", task.estimator, "forward")
    watch.time("scalarization", task.scalarization, "forward")
    watch.time("anonymizer step", task, "_step_anonymizer")
    watch.time("logging", task, "log", "log_dict", "_log_step")


def _time_surroundings(watch: Stopwatch, trainer: Trainer) -> None:
    for callback in trainer.callbacks:  # type: ignore[attr-defined]  # a list
        watch.time(f"callback {type(callback).__name__}", callback, "on_train_batch_end")
    for logger in trainer.loggers:
        watch.time("log files", logger, "log_metrics", "save")


def _history_megabytes(task: ActionRecognition) -> float:
    found = [m for m in task.estimator.modules() if isinstance(m, CriticalHistory)]
    gradients = [history.gradients for history in found]
    return sum(kept.numel() * kept.element_size() for kept in gradients) / 1e6


def _print(found: dict[str, Any]) -> None:
    for name, milliseconds in found["ms_per_step"].items():
        print(f"{name:36} {milliseconds:8.2f} ms {milliseconds / found['total_ms_per_step']:7.1%}")
    print(f"{'total':36} {found['total_ms_per_step']:8.2f} ms")
    if "service_latency_s" in found:
        print(
            f"no query in flight: {found['outside_share']:.1%} of a step (bar: 2 %), "
            f"{found['outside_ms_per_step']:.0f} ms, of which the processor worked "
            f"{found['outside_cpu_ms_per_step']:.0f} ms; {found['calls']} calls; no request on the "
            f"wire: {found['off_the_wire_share']:.1%}"
        )
    else:
        print(
            f"a query is in flight for {found['in_flight_ms_per_step']:.0f} ms; everything else "
            f"takes {found['outside_to_black_box']:.2f} times as long (bar: 1), "
            f"{found['outside_share']:.1%} of a step (bar: 40 %)"
        )
    print(f"history of gradients: {found['history_mb']:.3f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--service-latency", type=float, help="of a service to ask, in seconds")
    parser.add_argument("--overlap", default="auto", help="of the task; never: one after the other")
    parser.add_argument("--warmup", type=int, default=10, help="steps that are not counted")
    parser.add_argument("--steps", type=int, default=60, help="steps that are")
    parser.add_argument("--config", help=f"demo.yaml, or {SERVICE} with a service")
    parser.add_argument("--json", type=Path, default=None, help="also write the figures here")
    args = parser.parse_args()
    keep_memory()  # as the command line does
    with tempfile.TemporaryDirectory() as folder:
        more = [f"--model.init_args.overlap={args.overlap}"]
        if args.service_latency is None:
            config = args.config or "demo.yaml"
            found = measure(args.warmup, args.steps, folder, config, more=more)
        else:
            found = measure_service(
                args.warmup,
                args.steps,
                folder,
                args.service_latency,
                config=args.config or SERVICE,
                more=more,
            )
    _print(found)
    text = json.dumps(found, indent=2)
    if args.json is None:
        print(text)
    else:
        args.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
