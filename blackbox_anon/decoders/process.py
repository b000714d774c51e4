"""Decode in a process of its own, so that a hang or a crash costs one file and not the run.

A signal cannot interrupt a decoder that hangs in C, and nothing in a process survives its crash.
A second process can be killed and started again. It imports no torch; it costs about 60 MB and a
third of a second per loader worker, and one copy of the frames per clip.
"""

import os
import pickle
import time
from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np

from blackbox_anon.decoders.abstract import AbstractDecoder
from blackbox_anon.decoders.channel import Channel
from blackbox_anon.decoders.errors import DecodingError

Choose = Callable[[int], list[int]]


class DecodingProcess:
    """One process that decodes for this one; started at the first request.

    Args:
        decoder: Seeks where it can; pickled to the process.
    """

    def __init__(self, decoder: bytes) -> None:
        self._decoder = decoder
        self._lock = Lock()
        self._channel: Channel | None = None

    def read(self, path: str, choose: Choose, *, limit: float, strict: bool) -> np.ndarray:
        """Frames of a file; see :func:`~blackbox_anon.decoders.read_frames`.

        Args:
            path: A video file.
            choose: From the number of frames to the indices wanted.
            limit: Seconds the file may take.
            strict: Refuse a truncated or damaged file.

        Returns:
            Shape ``(T, H, W, 3)``, uint8, RGB.

        Raises:
            DecodingError: With the reason; also if the process died or took longer.
        """
        return np.asarray(self._ask(("read", path, strict), choose, limit))

    def count(self, path: str, *, limit: float, strict: bool) -> int:
        """True number of frames; see :func:`~blackbox_anon.decoders.count_frames`.

        Args:
            path: A video file.
            limit: Seconds the file may take.
            strict: Refuse a truncated or damaged file.

        Returns:
            The number.

        Raises:
            DecodingError: With the reason; also if the process died or took longer.
        """
        return int(self._ask(("count", path, strict), _nothing, limit))

    def remarks(self, path: str, *, limit: float, strict: bool) -> list[str]:
        """What is odd about a file; see :func:`~blackbox_anon.decoders.find_remarks`.

        Args:
            path: A video file.
            limit: Seconds the file may take.
            strict: Refuse a truncated or damaged file.

        Returns:
            One short sentence per oddity.

        Raises:
            DecodingError: With the reason; also if the process died or took longer.
        """
        return list(self._ask(("remarks", path, strict), _nothing, limit))

    def forget(self) -> None:
        """Let go of a process that belongs to the parent of this one."""
        self._lock = Lock()
        if self._channel is not None:
            self._channel.forget()
            self._channel = None

    def _ask(self, request: tuple[str, str, bool], choose: Choose, limit: float) -> Any:  # noqa: ANN401  # an array or a number
        with self._lock:
            channel = self._running()
            try:
                return _converse(channel, request, choose, time.monotonic() + limit)
            except DecodingError:
                raise  # the process is well
            except TimeoutError as error:
                self._stop()
                reason = f"no answer within the time limit of {limit:g} s; the decoder was stopped"
                raise DecodingError(reason) from error
            except (EOFError, OSError) as error:
                raise DecodingError(f"the decoder crashed: {self._stop()}") from error
            except BaseException:
                self._stop()  # half an answer may be on its way
                raise

    def _running(self) -> Channel:
        if self._channel is not None and not self._channel.alive:
            self._stop()  # killed from outside while idle: no file's fault
        if self._channel is None:
            self._channel = Channel(self._decoder)
        return self._channel

    def _stop(self) -> str:
        channel, self._channel = self._channel, None
        return channel.stop() if channel is not None else "not started"


def decoding_process(decoder: AbstractDecoder) -> DecodingProcess:
    """The process that decodes for this one with a given decoder; all readers share it.

    Args:
        decoder: Seeks where it can.

    Returns:
        The one process, started at its first request.
    """
    key = pickle.dumps(decoder)
    return _PROCESSES.setdefault(key, DecodingProcess(key))


def _converse(
    channel: Channel, request: tuple[str, str, bool], choose: Choose, deadline: float
) -> Any:  # noqa: ANN401  # as the request
    channel.send(request)
    while True:
        kind, value = channel.receive(deadline)
        if kind == "choose":
            channel.send(choose(value))
        elif kind == "frames":
            return channel.receive_frames(value, deadline)
        elif kind == "error":
            raise DecodingError(value)
        else:
            return value


def _nothing(num_frames: int) -> list[int]:
    raise AssertionError(f"expected no choice of frames, found one of {num_frames}")


def _forget_all() -> None:
    for process in _PROCESSES.values():
        process.forget()


_PROCESSES: dict[bytes, DecodingProcess] = {}
os.register_at_fork(after_in_child=_forget_all)
