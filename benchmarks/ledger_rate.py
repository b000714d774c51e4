"""How many attempts a second does the ledger record durably, and how much does it add to one?

Asks a service that answers at once, so the time is the wrapper's: reserve, flush, settle, flush.
Compare with the bare flushes a second that the disk manages, one after the other: an attempt alone
takes two of them, many at once share them. The processor's time for an attempt says what an idle
machine would reach where this one is busy.
"""

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path

import torch
from typing_extensions import override

from blackbox_anon.mllms import (
    AbstractAsyncMLLM,
    AbstractMLLM,
    Answer,
    BudgetedMLLM,
    CachedMLLM,
    Request,
    Response,
    Usage,
)


class InstantService(AbstractAsyncMLLM):
    """Answers at once and bills a little."""

    @override
    def worst_case(self, request: Request) -> Usage:
        return Usage(input_tokens=100, output_tokens=50)

    @override
    async def answer(self, request: Request) -> Answer:
        await asyncio.sleep(0)
        return Response(text=request.prompt, usage=Usage(input_tokens=10, output_tokens=1))


def rate(mllm: AbstractMLLM, attempts: int, at_once: int) -> tuple[float, float]:
    """Attempts a second, with so many asked at once, and the processor's ms for one.

    No two are the same.
    """
    frames = torch.zeros(at_once, 8, 3, 8, 8, dtype=torch.uint8)
    mllm.query(frames, [f"warm {i}" for i in range(at_once)])
    start, start_cpu = time.perf_counter(), time.process_time()
    for step in range(attempts // at_once):
        mllm.query(frames, [f"{step} {i}" for i in range(at_once)])
    made = attempts // at_once * at_once
    cpu_ms = 1000 * (time.process_time() - start_cpu) / made
    return made / (time.perf_counter() - start), cpu_ms


def flushes(folder: Path, seconds: float = 2.0) -> float:
    """Small durable writes a second, one after the other."""
    count, start = 0, time.perf_counter()
    with (folder / "probe").open("ab", buffering=0) as file:
        while time.perf_counter() - start < seconds:
            file.write(b"x" * 4096)
            os.fsync(file.fileno())
            count += 1
    return count / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=2000)
    parser.add_argument("--folder", type=Path, help="on the disk to measure (a temporary one)")
    parsed = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=parsed.folder))
    print(f"flushes of the disk, one by one: {flushes(folder):8.0f} /s")
    for at_once in (1, 16, 64, 256):
        attempts = min(parsed.attempts, 100 * at_once)
        budgeted = BudgetedMLLM(
            InstantService(),
            path=str(folder / f"ledger{at_once}.sqlite"),
            model="gpt-4o",
            max_cost_usd=1e6,
        )
        alone, alone_ms = rate(budgeted, attempts, at_once)
        cached = CachedMLLM(budgeted, path=str(folder / f"cache{at_once}.sqlite"))
        both, both_ms = rate(cached, attempts, at_once)
        print(
            f"{at_once:4d} at once: ledger {alone:6.0f} attempts/s ({alone_ms:.2f} ms), "
            f"with a cache of misses {both:6.0f} /s ({both_ms:.2f} ms)"
        )


if __name__ == "__main__":
    main()
