"""A running decoding process and the socket to it."""

import os
import signal
import socket
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from multiprocessing.util import Finalize
from typing import Any

import numpy as np

START_LIMIT = 120.0  # seconds; importing from a cold network disk is slow
STOP_LIMIT = 1.0  # seconds; a process stuck in the kernel cannot be waited for
SERVER = "blackbox_anon.decoders.serve"


class Channel:
    """Starts a process and talks to it.

    Args:
        decoder: The pickled decoder it is to use.

    Raises:
        TimeoutError: If it does not start.
        EOFError: If it dies on start; its own message is on standard error.
    """

    def __init__(self, decoder: bytes) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", SERVER, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        self._connection = Connection(ours.detach())
        self._finalize = Finalize(  # loader workers leave without running atexit
            self, _stop, (self._process, self._connection), exitpriority=10
        )
        self._connection.send_bytes(decoder)
        self.receive(time.monotonic() + START_LIMIT)

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def send(self, message: object) -> None:
        """Send a message; an ``OSError`` if the process is gone."""
        self._connection.send(message)

    def receive(self, deadline: float) -> Any:  # noqa: ANN401  # the protocol's tuples
        """Wait for a message until a time of the monotonic clock.

        Args:
            deadline: The time.

        Returns:
            The message.

        Raises:
            TimeoutError: If none came.
            EOFError: If the process is gone.
        """
        self._wait(deadline)
        return self._connection.recv()

    def receive_frames(self, shape: tuple[int, ...], deadline: float) -> np.ndarray:
        """Receive the bytes of frames, one after the other, into one array.

        Args:
            shape: ``(T, H, W, 3)``.
            deadline: As for :meth:`receive`.

        Returns:
            The array, uint8.
        """
        frames = np.empty(shape, np.uint8)
        missing = frames.reshape(-1).data
        while missing:
            self._wait(deadline)
            received = os.readv(self._connection.fileno(), [missing])  # no copy in between
            if received == 0:
                raise EOFError
            missing = missing[received:]
        return frames

    def stop(self) -> str:
        """Kill the process.

        Returns:
            How it had ended before, if it had.
        """
        try:
            code: int | None = self._process.wait(0.2)  # a crash takes a moment to be seen
        except subprocess.TimeoutExpired:
            code = None
        self._finalize()
        if code is None:
            return "stopped"
        return signal.Signals(-code).name if code < 0 else f"exit status {code}"

    def forget(self) -> None:
        """Let go of a process that belongs to the parent of this one."""
        self._finalize.cancel()
        self._connection.close()
        self._process.returncode = 0  # not ours to wait for

    def _wait(self, deadline: float) -> None:
        if not self._connection.poll(max(deadline - time.monotonic(), 0)):
            raise TimeoutError


def _stop(process: "subprocess.Popen[bytes]", connection: Connection) -> None:
    connection.close()
    process.kill()
    try:
        process.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        process.returncode = -signal.SIGKILL  # left to the kernel
