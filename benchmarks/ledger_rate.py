"""How many attempts a second does the ledger record durably, and how much does it add to one?

Asks a service that answers at once, so the time is the wrapper's: reserve, flush, settle, flush.
Compare with the bare flushes a second that the disk manages, one after the other.
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


def rate(mllm: AbstractMLLM, attempts: int, at_once: int) -> float:
    """Attempts a second, with so many asked at once; no two are the same."""
    frames = torch.zeros(at_once, 8, 3, 8, 8, dtype=torch.uint8)
    mllm.query(frames, [f"warm {i}" for i in range(at_once)])
    start = time.perf_counter()
    for step in range(attempts // at_once):
        mllm.query(frames, [f"{step} {i}" for i in range(at_once)])
    return attempts // at_once * at_once / (time.perf_counter() - start)


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
        alone = rate(budgeted, attempts, at_once)
        cached = CachedMLLM(budgeted, path=str(folder / f"cache{at_once}.sqlite"))
        print(
            f"{at_once:4d} at once: ledger {alone:8.0f} attempts/s, "
            f"with a cache of misses {rate(cached, attempts, at_once):8.0f} /s"
        )


if __name__ == "__main__":
    main()
