"""``blackbox-anon mllm-server``: a local model as an OpenAI-compatible service, with faults."""

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import torch

from blackbox_anon.errors import BlackboxAnonError
from blackbox_anon.mllms import AbstractMLLM, HuggingFaceMLLM
from blackbox_anon.server.choices import Structured
from blackbox_anon.server.options import ServiceOptions
from blackbox_anon.server.running import Running, serve
from blackbox_anon.server.schedule import FAULT_KINDS, FaultKind, even_shares

_ALL_TOKENS = 2**31 - 1  # as many first tokens as the vocabulary has, for the choices
EPILOG = f"""kinds of faults: {", ".join(FAULT_KINDS)}
Which request fails is decided by the seed, its body and how often that body came before, not by
the order of arrival. The service listens on this machine only."""


def main(args: Sequence[str]) -> None:
    """Serve until interrupted.

    Args:
        args: Arguments after ``mllm-server``.

    Raises:
        BlackboxAnonError: If an argument is out of range, or the model is not found.
        SystemExit: With 2 for arguments that do not parse.
    """
    parsed = _parser().parse_args(args)
    try:
        options = _options(parsed)
    except ValueError as error:
        raise BlackboxAnonError(str(error)) from error
    mllm = _mllm(parsed)
    _say(f"loading {parsed.path}")
    mllm.query(torch.zeros(1, 8, 3, 64, 64), ["Ready?"])  # a wrong path fails here, not later
    stopped = threading.Event()
    previous = signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    try:
        _serve_until(stopped, mllm, options)
    finally:
        signal.signal(signal.SIGTERM, previous)


def _serve_until(stopped: threading.Event, mllm: AbstractMLLM, options: ServiceOptions) -> None:
    with serve(mllm, options) as running:
        _say(describe(running))
        try:
            stopped.wait()
        except KeyboardInterrupt:
            _say("stopping")
    _say(json.dumps(running.stats()))


def describe(running: Running) -> str:
    """Say where the service is, ready to paste into a shell or a config."""
    options = running.options
    key = "export OPENAI_API_KEY=none  # any" if options.api_key is None else "(a key is required)"
    client = f"{{base_url: {running.base_url}, model: {options.model}}}"
    return f"""{running.base_url}  (Ctrl-C stops)
  shell       export OPENAI_BASE_URL={running.base_url}
              {key}
  config      mllm: {{class_path: OpenAICompatibleMLLM, init_args: {client}}}
  statistics  {running.root_url}/__stats"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="blackbox-anon mllm-server",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--path", default="peopleworld", help="model folder, hub name, or 'peopleworld'")
    add("--dtype", default="float32", choices=["auto", "float32", "bfloat16", "float16"])
    add("--device", default="auto", help="torch device")
    add("--max-new-tokens", type=int, default=2, help="most tokens of an answer")
    add("--model", help="the name that requests ask for (the path)")
    add("--port", type=int, default=0, help="0 (default) takes a free one")
    add("--api-key-env", metavar="NAME", help="variable with the key that requests must bring")
    add("--structured", choices=get_args(Structured), default="openai", help="choices read from")
    add("--max-images", type=int, default=500, help="most images of a request")
    add("--tokens-per-image", type=int, default=85, help="what an image adds to the usage")
    add("--batch-size", type=int, default=1, help="clips at once, the same bits as a local model's")
    add("--batch-window-s", type=float, default=0.005, help="wait for others of a batch")
    add("--faults", type=float, default=0.0, metavar="SHARE", help="in all, over all kinds")
    add("--fault", action="append", default=[], metavar="KIND=SHARE", help="of one kind")
    add("--seed", type=int, default=0, help="of faults and latencies")
    add("--retry-after-s", type=float, default=1.0, help="what the fault 429 asks for")
    add("--drip-s", type=float, default=30.0, help="how long the fault drip takes")
    add("--latency-s", type=float, nargs="+", default=[0.0], help="fixed, or least and most")
    add("--rate", type=float, metavar="R", help="requests admitted per second")
    add("--burst", type=int, default=1, help="requests admitted at once after a pause")
    add("--journal", type=Path, metavar="FILE", help="one line for each request; appended to")
    add("--fsync", action="store_true", help="force each line to the disk")
    add("--record-bytes", type=Path, metavar="DIR", help="keep all that clients send, keys too")
    return parser


def _mllm(parsed: argparse.Namespace) -> HuggingFaceMLLM:
    try:
        return HuggingFaceMLLM(
            parsed.path,
            dtype=parsed.dtype,
            device=parsed.device,
            batch_size=parsed.batch_size,
            max_new_tokens=parsed.max_new_tokens,
            num_logprobs=_ALL_TOKENS,
        )
    except ValueError as error:
        raise BlackboxAnonError(str(error)) from error


def _options(parsed: argparse.Namespace) -> ServiceOptions:
    latency = parsed.latency_s
    if len(latency) > 2:
        raise ValueError(f"`--latency-s` must be one or two times; found {len(latency)}")
    return ServiceOptions(
        model=parsed.model or parsed.path,
        api_key=_key(parsed.api_key_env),
        structured=parsed.structured,
        max_images=parsed.max_images,
        tokens_per_image=parsed.tokens_per_image,
        batch_size=parsed.batch_size,
        batch_window_s=parsed.batch_window_s,
        faults=_shares(parsed.faults, parsed.fault),
        seed=parsed.seed,
        retry_after_s=parsed.retry_after_s,
        drip_s=parsed.drip_s,
        latency_s=(latency[0], latency[-1]),
        rate_per_s=parsed.rate,
        burst=parsed.burst,
        journal=parsed.journal,
        fsync=parsed.fsync,
        record_bytes=parsed.record_bytes,
        port=parsed.port,
    )


def _key(name: str | None) -> str | None:
    if name is None:
        return None
    key = os.environ.get(name)
    if not key:
        raise ValueError(f"`--api-key-env` must name a variable with a key; {name} holds none")
    return key


def _shares(total: float, single: Sequence[str]) -> dict[FaultKind, float]:
    """Even shares of ``total``, with those given singly in their place."""
    shares = even_shares(total) if total else {}
    for given in single:
        name, _, share = given.partition("=")
        kind = next((kind for kind in FAULT_KINDS if kind == name), None)
        if kind is None:
            known = ", ".join(FAULT_KINDS)
            raise ValueError(f"`--fault` must be KIND=SHARE, of {known}; found {given!r}")
        shares[kind] = float(share)
    return shares


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
