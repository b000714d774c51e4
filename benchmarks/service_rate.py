"""How much of what a rate-limited service allows does the client use?

A server on this machine admits so many requests a second and refuses the rest (429, with the time
to wait); RetryingMLLM repeats what was refused. Both ends share this machine's cores, so the figure
is a lower bound. The bar: 95 % of what the server could have admitted from the first request to the
last one. The time of the processor is both ends' too, and is what a busy machine runs out of.
"""

import argparse
import os
import time
from collections.abc import Sequence

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.mllms import (
    AbstractMLLM,
    AnonymizedFrames,
    OpenAICompatibleMLLM,
    Response,
    RetryingMLLM,
)
from blackbox_anon.server import ServiceOptions, serve


class Echo(AbstractMLLM):
    """Answers with the question, at once: the server's own work is all that is left."""

    @override
    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:
        del frames
        return [Response(text=prompt) for prompt in prompts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=12.7, help="admitted per second")
    parser.add_argument("--burst", type=int, default=13)
    parser.add_argument("--latency-s", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=60.0, help="about how long")
    parser.add_argument("--clip-frames", type=int, default=8)
    parser.add_argument("--size", type=int, default=112)
    given = parser.parse_args()
    count = int(given.rate * given.seconds)
    clip = torch.randint(0, 256, (1, given.clip_frames, 3, given.size, given.size))
    frames = AnonymizedFrames(clip.to(torch.uint8).expand(count, -1, -1, -1, -1))
    options = ServiceOptions(
        model="echo",
        rate_per_s=given.rate,
        burst=given.burst,
        latency_s=(given.latency_s, given.latency_s),
    )
    with serve(Echo(), options) as running:
        client = OpenAICompatibleMLLM(
            "echo", base_url=running.base_url, api_key_env=None, family="generic"
        )
        mllm = RetryingMLLM(client, max_attempts=1000, base_delay_s=0.0, deadline_s=3600)
        start, start_cpu = time.perf_counter(), time.process_time()
        answers = mllm.query(frames, [f"question {i}" for i in range(count)])
        took_s, cpu_s = time.perf_counter() - start, time.process_time() - start_cpu
        client.close()
    rate = running.stats()["rate"]
    assert rate is not None
    assert all(isinstance(answer, Response) for answer in answers)
    print(f"{count} answers in {took_s:.1f} s, {count / took_s:.2f} a second")
    print(f"{1000 * cpu_s / count:.1f} ms of the processor for a call")
    print(f"admitted {rate['admitted']} of {rate['allowed']:.0f} that were allowed:", end=" ")
    print(f"{rate['admitted'] / rate['allowed']:.1%} ({os.cpu_count()} cores, both ends)")
    print(f"refused: {running.stats()['refused']}, figures: {mllm.figures()}")


if __name__ == "__main__":
    main()
