"""Each fault, as a client sees it on the wire."""

import http.client
import json
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest
from torch import Tensor

from blackbox_anon.server import FAULT_KINDS, UNPAID, FaultKind, FaultSchedule, Running
from tests.server.asking import Reply, ask, ask_all, body
from tests.server.conftest import Serve

BROKEN = (ConnectionError, http.client.IncompleteRead, http.client.BadStatusLine)


def faulty(served: Serve, kind: FaultKind, **options: object) -> Running:
    """A service at which every request meets this fault."""
    return served(faults={kind: 1.0}, retry_after_s=1.5, drip_s=0.0, **options)


def test_rate_limit_tells_how_long_to_wait(clip: Tensor, served: Serve) -> None:
    reply = ask(faulty(served, "429"), body(clip))
    assert (reply.status, reply.error["code"]) == (429, "rate_limit_exceeded")
    assert (reply.headers["Retry-After"], reply.headers["retry-after-ms"]) == ("2", "1500")


def test_rate_limit_may_also_not_tell(clip: Tensor, served: Serve) -> None:
    reply = ask(faulty(served, "429-bare"), body(clip))
    assert (reply.status, reply.error["code"]) == (429, "rate_limit_exceeded")
    assert not {name.lower() for name in reply.headers} & {"retry-after", "retry-after-ms"}


@pytest.mark.parametrize(("kind", "status"), [("500", 500), ("error-200", 200)])
def test_server_error_with_and_without_its_status(
    kind: FaultKind, status: int, clip: Tensor, served: Serve
) -> None:
    reply = ask(faulty(served, kind), body(clip))
    assert (reply.status, reply.error["type"]) == (status, "server_error")


def test_reset_breaks_the_connection_within_the_body(clip: Tensor, served: Serve) -> None:
    running = faulty(served, "reset")
    with pytest.raises(BROKEN):
        ask(running, body(clip))
    assert ask(running, b"", method="GET", path="/healthz").status == 200  # only that connection


def test_drip_ends_with_the_whole_answer(clip: Tensor, served: Serve) -> None:
    running = served(faults={"drip": 1.0}, drip_s=0.5)
    start = time.monotonic()
    assert ask(running, body(clip)).text
    assert time.monotonic() - start > 0.5


def test_drip_outlasts_an_impatient_client(clip: Tensor, served: Serve) -> None:
    """Bytes keep coming, the whole does not: only a deadline for the whole call helps."""
    running = served(faults={"drip": 1.0}, drip_s=3600.0)
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=600)
    connection.request("POST", "/v1/chat/completions", body(clip))
    reply = connection.getresponse()
    assert reply.read1(20)
    connection.sock.settimeout(0.2)
    with pytest.raises(TimeoutError):  # the rest has not come
        reply.read()
    connection.close()
    assert running.stats()["paid"] == 1


def test_malformed_ends_in_the_middle_of_the_json(clip: Tensor, served: Serve) -> None:
    reply = ask(faulty(served, "malformed"), body(clip))
    assert reply.status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.data)


def test_duplicate_is_the_json_twice(clip: Tensor, served: Serve) -> None:
    reply = ask(faulty(served, "duplicate"), body(clip))
    with pytest.raises(json.JSONDecodeError, match="Extra data"):
        json.loads(reply.data)
    half = len(reply.data) // 2
    assert reply.data[:half] == reply.data[half:]
    assert Reply(200, {}, reply.data[:half]).text


def test_empty_has_no_choice_but_is_billed(clip: Tensor, served: Serve) -> None:
    reply = ask(faulty(served, "empty"), body(clip)).json
    assert reply["choices"] == []
    assert reply["usage"]["total_tokens"] > 0


def test_refusal_stands_where_openai_puts_it(clip: Tensor, served: Serve) -> None:
    choice = ask(faulty(served, "refusal"), body(clip, logprobs=True)).choice
    assert choice["message"]["content"] is None
    assert choice["message"]["refusal"]
    assert choice["logprobs"] is None


def test_content_filter_is_a_finish_reason(clip: Tensor, served: Serve) -> None:
    choice = ask(faulty(served, "content-filter"), body(clip)).choice
    assert (choice["finish_reason"], choice["message"]["content"]) == ("content_filter", "")


def test_wrong_model_answers_under_another_name(clip: Tensor, served: Serve) -> None:
    reply = ask(faulty(served, "wrong-model"), body(clip))
    assert reply.json["model"] not in ("peopleworld", "")
    assert reply.text


def attempt(running: Running, sent: bytes) -> None:
    """Ask, whatever comes of it."""
    try:
        ask(running, sent)
    except BROKEN:
        return


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_faults_are_counted_and_what_was_answered_is_paid_for(
    kind: FaultKind, clip: Tensor, served: Serve
) -> None:
    running = faulty(served, kind)
    for sent in (body(clip), body(clip), body(clip, "Another?")):
        attempt(running, sent)
    stats = running.stats()
    assert stats["faults"] == {kind: 3}
    assert (stats["received"], stats["answered"], stats["refused"]) == (3, 0, {})
    expected = (0, 0, 0) if kind in UNPAID else (3, 2, 1)
    assert (stats["paid"], stats["distinct_paid"], stats["duplicates"]) == expected
    assert (stats["completion_tokens"] > 0) == (kind not in UNPAID)


def statuses(running: Running, bodies: Iterable[bytes], at_once: int) -> list[list[int]]:
    """Status of three attempts at each request."""

    def three(sent: bytes) -> list[int]:
        return [ask(running, sent).status for _ in range(3)]

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(three, bodies))


def test_the_same_attempts_fail_in_any_order_and_number_at_once(
    clip: Tensor, served: Serve
) -> None:
    bodies = [body(clip, f"Question {i}?") for i in range(12)]
    faults: dict[FaultKind, float] = {"500": 0.3, "429-bare": 0.2}

    def service() -> Running:
        return served(faults=faults, seed=3, max_images=3)

    forward = statuses(service(), bodies, at_once=1)
    backward = statuses(service(), bodies[::-1], at_once=6)[::-1]
    assert forward == backward
    assert {status for row in forward for status in row} == {200, 429, 500}


def test_the_schedule_that_is_served_is_the_one_that_can_be_computed(
    clip: Tensor, served: Serve
) -> None:
    faults: dict[FaultKind, float] = {"500": 0.5}
    running, sent = served(faults=faults, seed=5), body(clip)
    schedule, body_hash = FaultSchedule(shares=faults, seed=5), sha256(sent).hexdigest()
    expected = [500 if schedule.fault(body_hash, i) else 200 for i in range(8)]
    assert [ask(running, sent).status for _ in range(8)] == expected
    assert set(expected) == {200, 500}


def test_refused_requests_count_no_attempt(clip: Tensor, served: Serve) -> None:
    sent = body(clip)
    free = served(faults={"500": 0.5}, seed=5)
    kept = served(faults={"500": 0.5}, seed=5, api_key="k")
    key = {"Authorization": "Bearer k"}
    expected = [ask(free, sent).status for _ in range(6)]
    found = []
    for _ in range(6):
        assert ask(kept, sent).status == 401
        found.append(ask(kept, sent, headers=key).status)
    assert found == expected


def test_latency_is_kept_and_drawn_from_the_request(clip: Tensor, served: Serve) -> None:
    running = served(latency_s=(0.1, 0.4), seed=1)
    bodies = [body(clip, f"Question {i}?") for i in range(4)]
    start = time.monotonic()
    ask_all(running, bodies, at_once=4)
    passed = time.monotonic() - start
    drawn = [running.options.latency(sha256(sent).hexdigest(), 0) for sent in bodies]
    assert all(0.1 <= latency < 0.4 for latency in drawn)
    assert passed >= max(drawn)
