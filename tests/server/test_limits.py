"""Batches, rate limit, journal, and everything that was received."""

import gzip
import json
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from threading import Event

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from typing_extensions import override

from blackbox_anon.errors import BlackboxAnonError
from blackbox_anon.mllms import Response
from blackbox_anon.server import Entry, ServiceOptions, TokenBucket, serve
from tests.mllms.processes import PATIENCE_S, wait_until
from tests.mllms_fakes import LinearMLLM
from tests.server.asking import ask, ask_all, body
from tests.server.conftest import Serve


class GatedMLLM(LinearMLLM):
    """Answers the first batch only once many wait behind it."""

    def __init__(self) -> None:
        super().__init__(["dark", "bright"], [0.0, 8.0])
        self.gate = Event()

    @override
    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:
        assert self.gate.wait(PATIENCE_S)
        return super()._respond(frames, prompts)


def test_waiting_requests_are_answered_in_batches_of_one_shape(served: Serve) -> None:
    mllm = GatedMLLM()
    running = served(mllm, batch_size=5, batch_window_s=PATIENCE_S)  # leaves when it is full
    clips = [torch.full((1, 3, 2, 2 + i % 2), 20 * i, dtype=torch.uint8) for i in range(10)]
    alone = [mllm.logits(clip[None] / 255).log_softmax(dim=-1)[0].tolist() for clip in clips]

    with ThreadPoolExecutor(10) as pool:
        waiting = [
            pool.submit(ask, running, body(clip, logprobs=True, top_logprobs=2)) for clip in clips
        ]
        wait_until(lambda: running.stats()["in_flight"] == 10)
        mllm.gate.set()
        replies = [reply.result() for reply in waiting]
    for reply, expected in zip(replies, alone, strict=True):
        [entry] = reply.choice["logprobs"]["content"]
        found = {top["token"]: top["logprob"] for top in entry["top_logprobs"]}
        assert [found[name] for name in ("dark", "bright")] == pytest.approx(expected, rel=1e-12)
    sizes = {int(size): count for size, count in running.stats()["batches"].items()}
    assert sum(size * count for size, count in sizes.items()) == 10
    assert 3 <= max(sizes) <= 5  # of any five, three are of one shape
    assert running.stats()["peak_in_flight"] == 10


def test_a_batch_size_of_one_asks_one_at_a_time(clip: Tensor, served: Serve) -> None:
    running = served(batch_size=1)
    ask_all(running, [body(clip, str(i)) for i in range(6)])
    assert running.stats()["batches"] == {"1": 6}


# --- rate -----------------------------------------------------------------------------------------


@settings(deadline=None)  # a busy machine stalls
@given(
    st.floats(0.5, 50),
    st.integers(1, 20),
    st.lists(st.floats(0, 3), min_size=1, max_size=60),
)
def test_never_more_than_allowed_and_a_wait_of_the_told_length_suffices(
    rate: float, burst: int, pauses: list[float]
) -> None:
    now = [0.0]
    bucket = TokenBucket(rate, burst=burst, clock=lambda: now[0])
    for pause in pauses:
        now[0] += pause
        wait_s = bucket.take()
        assert bucket.admitted <= bucket.allowed + 1e-6
        if wait_s > 0:
            now[0] += wait_s
            assert bucket.take() == 0
    assert bucket.admitted >= min(burst, len(pauses))


def test_a_client_that_waits_as_told_is_admitted_at_the_full_rate() -> None:
    now = [0.0]
    bucket = TokenBucket(5.0, burst=2, clock=lambda: now[0])
    while now[0] < 20:
        now[0] += bucket.take()
    assert bucket.admitted == pytest.approx(bucket.allowed, abs=1.01)
    assert bucket.allowed == pytest.approx(2 + 5 * 20, abs=1)


def test_over_the_rate_is_refused_with_a_time_to_wait(clip: Tensor, served: Serve) -> None:
    running = served(rate_per_s=1e-4, burst=2)
    replies = [ask(running, body(clip, str(i))) for i in range(4)]
    assert [reply.status for reply in replies] == [200, 200, 429, 429]
    assert 9000 < int(replies[-1].headers["Retry-After"]) <= 10000
    stats = running.stats()
    assert stats["refused"] == {"rate_limit_exceeded": 2}
    assert stats["faults"] == {}
    assert stats["rate"] is not None
    assert stats["rate"]["admitted"] == 2 <= stats["rate"]["allowed"] < 3


# --- journal --------------------------------------------------------------------------------------


LIVE = ("batches", "peak_in_flight", "in_flight", "rate")  # of this run of the server


def entries(path: Path) -> list[Entry]:
    return [Entry(**json.loads(line)) for line in path.read_text().splitlines()]


def test_every_request_is_a_line(clip: Tensor, served: Serve, tmp_path: Path) -> None:
    path = tmp_path / "new" / "journal.jsonl"
    running = served(journal=path, fsync=True, api_key="k", faults={"500": 0.5}, seed=5)
    key, sent = {"Authorization": "Bearer k"}, body(clip)
    ask(running, sent)
    statuses = [ask(running, sent, headers=key).status for _ in range(4)]
    refused, *admitted = entries(path)
    assert (refused.attempt, refused.status, refused.error) == (None, 401, "invalid_api_key")
    assert [entry.attempt for entry in admitted] == [0, 1, 2, 3]
    assert [entry.status for entry in admitted] == statuses
    for entry in admitted:
        assert entry.sha256 == sha256(sent).hexdigest()
        assert entry.paid == (entry.status == 200)
        assert entry.fault == (None if entry.paid else "500")
        assert (entry.prompt_tokens > 0) == entry.paid


def test_sums_and_attempts_outlive_the_server(clip: Tensor, tmp_path: Path) -> None:
    sent, other = body(clip), body(clip, "Another?")
    mllm = LinearMLLM(["a"], [1.0])

    def statuses(path: Path, restarts: bool) -> tuple[list[int], dict[str, object]]:
        options = ServiceOptions(journal=path, faults={"500": 0.5}, seed=5)
        found = []
        for some in ([sent, sent, other], [sent, other, sent]):
            with serve(mllm, options) as running:
                found += [ask(running, one).status for one in some]
                if not restarts:
                    found += [ask(running, one).status for one in [sent, other, sent]]
                    break
        stats = dict(running.stats())
        return found, {name: stats[name] for name in stats if name not in LIVE}

    restarted = statuses(tmp_path / "one", restarts=True)
    assert restarted == statuses(tmp_path / "other", restarts=False)
    assert restarted[1]["received"] == 6
    assert set(restarted[0]) == {200, 500}


def test_an_unfinished_last_line_is_dropped(
    clip: Tensor, served: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "journal.jsonl"
    line = json.dumps(asdict(Entry(time=0.0, sha256="aa", attempt=0, paid=True)))
    path.write_text(f"{line}\n{line[:20]}")
    running = served(journal=path)
    assert "unfinished last line of 20 bytes" in caplog.text
    ask(running, body(clip))
    assert [entry.paid for entry in entries(path)] == [True, True]
    assert running.stats()["distinct_paid"] == 2


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"time": 1, "sha256": "a", "colour": 2}'])
def test_a_file_that_is_no_journal_is_left_alone(line: str, tmp_path: Path, served: Serve) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(f"{line}\n")
    with pytest.raises(BlackboxAnonError, match=r"`journal` must hold entries .* line 1 of"):
        served(journal=path)
    assert path.read_text() == f"{line}\n"


# --- every byte -----------------------------------------------------------------------------------


def test_every_byte_that_was_received_is_kept(clip: Tensor, served: Serve, tmp_path: Path) -> None:
    running = served(record_bytes=tmp_path)
    sent = body(clip, "canary-1")
    ask(running, sent, headers={"Authorization": "Bearer canary-2", "x-other": "canary-3"})
    ask(running, b"", method="GET", path="/v1/models?canary-4")
    ask(running, gzip.compress(body(clip, "canary-5")), headers={"Content-Encoding": "gzip"})
    ask(running, b"canary-6", path="/elsewhere")
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert [i for i in range(1, 7) if f"canary-{i}".encode() not in kept] == []
    assert (tmp_path / "bodies" / sha256(sent).hexdigest()).read_bytes() == sent


def test_what_is_no_http_is_kept_too(served: Serve, tmp_path: Path) -> None:
    running = served(record_bytes=tmp_path)
    with socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE_S) as connection:
        connection.sendall(b"canary\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.0 400")
    [path] = (tmp_path / "connections").iterdir()
    assert path.read_bytes() == b"canary\r\n\r\n"


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be at least 1; found 0"),
        ({"drip_s": -1.0}, "`drip_s` must be finite and not negative; found -1.0"),
        ({"latency_s": (2.0, 1.0)}, "`latency_s` must be two times, the lesser first"),
        ({"rate_per_s": 0.0}, "`rate_per_s` must be positive; found 0.0"),
        ({"port": 70000}, "`port` must be from 0 to 65535; found 70000"),
        ({"api_key": ""}, "`api_key` must be a key, or absent"),
        ({"faults": {"500": 2.0}}, "`faults` must be shares"),
    ],
)
def test_options_out_of_range_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message.split(";")[0]):
        ServiceOptions(**options)  # type: ignore[arg-type]  # what is tested
