"""How much faster does a second process make training against a slow service?

One and two processes (gloo) train with the same batch in all, each process with its share of it,
and ask a service on this machine that answers after 1 s. How many requests a process has in flight
is capped, so that two have twice as many. The bar: 1.9 times the steps per second.
Both processes must end with the same parameters, and the service must have had no more calls than
the steps need.

``--device cuda`` asks instead what a step costs on one GPU with a local model of seven billion
parameters: LLaVA-1.5 and Video-LLaVA with random weights in bfloat16, and ``ucf.yaml``'s anonymizer
and reviewer. ``--tiny`` does the same with tiny models, on any device.
"""

import argparse
import json
import os
import platform
import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.cli import LightningCLI
from torch.multiprocessing.spawn import spawn

from benchmarks.clocks import Between, Stopwatch
from benchmarks.loopback import Loopback, loopback
from benchmarks.random_models import GEOMETRIES, measure_geometry
from benchmarks.step_overhead import demo, service_arguments
from blackbox_anon.allocator import keep_memory
from blackbox_anon.tasks import ActionRecognition
from blackbox_anon.tasks.parameters import flatten

BAR = 1.9


def measure(
    warmup: int,
    steps: int,
    folder: str,
    *,
    latency_s: float = 1.0,
    cap: int = 4,
    batch: int = 8,
    more: Iterable[str] = (),
) -> dict[str, Any]:
    """Train in one and in two processes against one service.

    Args:
        warmup: Steps that are not counted.
        steps: Steps that are.
        folder: For logs, caches and ledgers.
        latency_s: Time from request to reply.
        cap: Most requests that a process has in flight.
        batch: Clips in a step, of all processes together; even.
        more: Further arguments for ``demo_service.yaml``.

    Returns:
        By number of processes steps per second and calls, made and needed; their ratio; whether
        both processes of the second run ended with the same parameters.
    """
    with loopback(latency_s) as service:
        runs = {
            ranks: _measure_ranks(
                ranks,
                warmup,
                steps,
                Path(folder) / str(ranks),
                service,
                [*_sizes(batch // ranks, cap), *more],
            )
            for ranks in (1, 2)
        }
    rates = [run["steps_per_s"] for run in runs.values()]
    return {
        "ranks": runs,
        "ratio": rates[1] / rates[0],
        "equal_parameters": runs[2]["equal_parameters"],
        "no_extra_call": all(run["calls"] == run["calls_needed"] for run in runs.values()),
        "service_latency_s": latency_s,
        "requests_at_once_per_rank": cap,
        "clips_per_step": batch,
        "steps": steps,
        "cores": os.cpu_count(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }


def _sizes(clips: int, cap: int) -> list[str]:
    service = "--model.init_args.mllm.init_args" + 3 * ".mllm.init_args"
    return [
        f"{service}.start_concurrency={cap}",
        f"{service}.max_concurrency={cap}",
        f"--data.init_args.batch_size={clips}",
        f"--data.init_args.privacy_batch_size={4 * clips}",
    ]


def _measure_ranks(
    ranks: int, warmup: int, steps: int, folder: Path, service: Loopback, more: list[str]
) -> dict[str, Any]:
    folder.mkdir(parents=True)
    before = service.stats()["received"]
    arguments = [*service_arguments(str(folder), service.base_url), *more]
    spawn(_train, (ranks, _free_port(), warmup, steps, str(folder), arguments), nprocs=ranks)
    found = [torch.load(folder / f"{rank}.pt") for rank in range(ranks)]
    return {
        "steps_per_s": steps / found[0]["seconds"],
        "calls": service.stats()["received"] - before,
        "calls_needed": (warmup + steps) * sum(rank["calls_per_step"] for rank in found),
        "equal_parameters": all(
            torch.equal(rank["parameters"], found[0]["parameters"]) for rank in found
        ),
    }


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def _train(
    rank: int,
    ranks: int,
    port: int,
    warmup: int,
    steps: int,
    folder: str,
    arguments: list[str],
) -> None:
    """Train as one of several processes, and leave what it took and what came of it."""
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(ranks),
        "NODE_RANK": "0",
        "LOCAL_RANK": str(rank),
    }
    torch.set_num_threads(1)
    strategy = "auto" if ranks == 1 else "ddp_find_unused_parameters_true"
    cli: LightningCLI = demo(
        warmup + steps,
        folder,
        "demo_service.yaml",
        [*arguments, f"--trainer.devices={ranks}", f"--trainer.strategy={strategy}"],
    )
    task = cli.model
    assert isinstance(task, ActionRecognition)
    clock = Between(Stopwatch(), warmup, steps)
    cli.trainer.callbacks.append(clock)  # type: ignore[attr-defined]  # a list
    cli.trainer.fit(task, cli.datamodule)
    found = {
        "seconds": clock.seconds["total"],
        "calls_per_step": cli.datamodule.batch_size * task.estimator.queries_per_sample,
        "parameters": flatten(task.trained),
    }
    torch.save(found, Path(folder) / f"{rank}.pt")


def _print(found: dict[str, Any]) -> None:
    one, two = (found["ranks"][ranks]["steps_per_s"] for ranks in (1, 2))
    print(
        f"steps per second: {one:.3f} in one process, {two:.3f} in two, {found['ratio']:.2f} times "
        f"as many (bar: {BAR}); equal parameters: {found['equal_parameters']}; no extra call: "
        f"{found['no_extra_call']}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warmup", type=int, default=2, help="steps that are not counted")
    parser.add_argument("--steps", type=int, default=5, help="steps that are")
    parser.add_argument("--latency-s", type=float, default=1.0, help="of the service")
    parser.add_argument("--cap", type=int, default=4, help="requests in flight of a process")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--tiny", action="store_true", help="local models, tiny ones")
    parser.add_argument("--json", type=Path, default=None, help="also write the figures here")
    args = parser.parse_args()
    keep_memory()  # as the command line does
    with tempfile.TemporaryDirectory() as folder:
        if args.device == "cuda" or args.tiny:
            found: dict[str, Any] = {}
            for name in GEOMETRIES:
                sizes = (args.warmup, args.steps, folder)
                found[name] = measure_geometry(name, *sizes, device=args.device, tiny=args.tiny)
                print(
                    f"{name}: {found[name]['total_ms_per_step'] / 1000:.2f} s a step, "
                    f"{found[name]['black_box_share']:.1%} of it in the black box"
                )
        else:
            found = measure(args.warmup, args.steps, folder, latency_s=args.latency_s, cap=args.cap)
            _print(found)
    text = json.dumps(found, indent=2)
    if args.json is None:
        print(text)
    else:
        args.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
