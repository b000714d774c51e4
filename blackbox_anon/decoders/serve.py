"""The process that decodes: answers one request after the other until its socket closes.

Started as ``python -m blackbox_anon.decoders.serve <descriptor>`` by
:class:`~blackbox_anon.decoders.process.DecodingProcess`, never by a user.
"""

import os
import pickle
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np

from blackbox_anon.decoders.abstract import AbstractDecoder
from blackbox_anon.decoders.clip import count_frames, read_frames
from blackbox_anon.decoders.remarks import find_remarks

WHOLE_FILE: dict[str, Callable[..., object]] = {"count": count_frames, "remarks": find_remarks}


def serve(connection: Connection, decoder: AbstractDecoder) -> None:
    """Answer requests ``(kind, path, strict)`` until the other side is gone.

    ``read`` is answered by ``("choose", count)`` as often as needed, each of which expects
    indices, then by ``("frames", shape)`` and the frames' bytes; ``count`` and ``remarks`` by
    themselves and the result; a file that cannot be read by ``("error", reason)``.

    Args:
        connection: To the process that asks.
        decoder: Seeks where it can.
    """
    while True:
        try:
            request = connection.recv()
        except EOFError:
            return
        try:
            _answer(connection, decoder, *request)
        except (BrokenPipeError, EOFError):
            return
        except Exception as error:  # noqa: BLE001  # whatever a file provokes costs that file
            connection.send(("error", str(error) or type(error).__name__))


def _answer(
    connection: Connection, decoder: AbstractDecoder, kind: str, path: str, strict: bool
) -> None:
    if kind in WHOLE_FILE:
        connection.send((kind, WHOLE_FILE[kind](path, strict=strict)))
        return

    def choose(num_frames: int) -> list[int]:
        connection.send(("choose", num_frames))
        indices: list[int] = connection.recv()
        return indices

    frames = read_frames(path, choose, decoder, strict=strict)
    connection.send(("frames", (len(frames), *frames[0].shape)))
    for frame in frames:
        unsent = np.ascontiguousarray(frame).reshape(-1).data
        while unsent:
            unsent = unsent[os.write(connection.fileno(), unsent) :]


def main() -> None:
    """Take over the socket whose number is the only argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to handle
    os.dup2(2, 1)  # a library's print must not end up on the user's standard output
    with Connection(int(sys.argv[1])) as connection:
        decoder: AbstractDecoder = pickle.loads(connection.recv_bytes())
        connection.send("ready")
        serve(connection, decoder)


if __name__ == "__main__":
    main()
