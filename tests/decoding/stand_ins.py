"""Decoders that hang or crash in C, as a library may on one file in a hundred thousand."""

import ctypes
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from typing_extensions import override

from blackbox_anon.decoders import AbstractDecoder, PyAVDecoder, Timeline


class FaultyDecoder(AbstractDecoder):
    """PyAV, except that a file named ``hangs`` or ``crashes`` does."""

    @override
    def seeks(self, timeline: Timeline) -> bool:
        return True

    @override
    def frames(self, timeline: Timeline, indices: Sequence[int]) -> list[np.ndarray] | None:
        name = Path(timeline.path).stem
        if name == "hangs":
            ctypes.PyDLL(None).sleep(3600)  # holds the interpreter's lock: no signal handler runs
        if name == "crashes":
            os.kill(os.getpid(), signal.SIGSEGV)
        if name == "aborts":
            os.abort()
        return PyAVDecoder().frames(timeline, indices)
