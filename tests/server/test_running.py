"""The other endpoints, models that fail, and a service's start and end."""

import gc
import socket
import threading
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress

import pytest
from torch import Tensor
from typing_extensions import override

from blackbox_anon.errors import BlackboxAnonError
from blackbox_anon.mllms import AbstractMLLM, Answer, Failure
from blackbox_anon.server import serve
from tests.mllms_fakes import LinearMLLM
from tests.server.asking import ask, body, get
from tests.server.conftest import Serve


def test_models(served: Serve) -> None:
    [model] = get(served(), "/v1/models").json["data"]
    assert (model["id"], model["object"]) == ("peopleworld", "model")


def test_health_and_statistics(clip: Tensor, served: Serve) -> None:
    running = served()
    assert get(running, "/healthz").json == {"status": "ok"}
    for _ in range(3):
        ask(running, body(clip))
    ask(running, body(clip, "Another?"))
    found = get(running, "/__stats").json
    assert found == running.stats()
    assert (found["received"], found["answered"], found["paid"]) == (4, 4, 4)
    assert (found["distinct_paid"], found["duplicates"]) == (2, 2)
    assert found["in_flight"] == 0


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v2", 404), ("GET", "/v1/chat/completions", 405)]
)
def test_other_paths(method: str, path: str, status: int, served: Serve) -> None:
    reply = ask(served(), b"", method=method, path=path)
    assert (reply.status, reply.error["param"]) == (status, None)


class BrokenMLLM(AbstractMLLM):
    def __init__(self, answer: Answer | Exception) -> None:
        super().__init__()
        self._answer = answer

    @override
    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Answer]:
        if isinstance(self._answer, Exception):
            raise self._answer
        return [self._answer for _ in prompts]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (ValueError("no such size"), "ValueError: no such size"),
        (Failure(kind="refusal", message="not that"), "refusal: not that"),
    ],
)
def test_a_model_that_fails_is_a_server_error_and_costs_nothing(
    answer: Answer | Exception, said: str, clip: Tensor, served: Serve
) -> None:
    running = served(BrokenMLLM(answer))
    for _ in range(2):  # it stays up
        reply = ask(running, body(clip))
        assert (reply.status, reply.error["type"]) == (500, "server_error")
        assert said in reply.error["message"]
    assert (running.stats()["paid"], running.stats()["answered"]) == (0, 0)


class RemoteMLLM(LinearMLLM):
    @property
    @override
    def sends_images(self) -> bool:
        return True


def test_a_model_that_sends_images_away_is_refused() -> None:
    with (
        pytest.raises(ValueError, match=r"`mllm` must be local; found RemoteMLLM"),
        serve(RemoteMLLM(["a"], [1.0])),
    ):
        pass


def test_statistics_outlive_the_service(clip: Tensor) -> None:
    with serve(LinearMLLM(["a"], [1.0])) as running:
        ask(running, body(clip))
    assert running.stats()["answered"] == 1


def test_a_taken_port_is_named(served: Serve) -> None:
    taken = served().port
    with pytest.raises(BlackboxAnonError, match=rf"`port` must be free; found {taken}"):
        served(port=taken)


def test_who_knocks_while_the_service_stops_leaves_no_socket_open() -> None:
    model = LinearMLLM(["a", "b"], [0.0, 1.0])
    for _ in range(8):
        knocking, stopped = list[socket.socket](), threading.Event()

        def knock(port: int, knocking: list[socket.socket], stopped: threading.Event) -> None:
            while not stopped.is_set():
                with suppress(OSError):  # nobody listens any more
                    knocking.append(socket.create_connection(("127.0.0.1", port), timeout=1))

        with serve(model) as running:
            visitor = threading.Thread(target=knock, args=(running.port, knocking, stopped))
            visitor.start()
            while len(knocking) < 3:
                time.sleep(0.001)
        stopped.set()
        visitor.join()
        for connection in knocking:
            connection.close()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        gc.collect()
    assert not caught
