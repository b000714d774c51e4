"""Finish the step before a signal ends the run."""

import signal
import threading
from types import FrameType

from lightning.pytorch.utilities.exceptions import SIGTERMException

HEEDED = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """Notes SIGTERM and Ctrl-C while a run trains; a second Ctrl-C interrupts at once."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, object] = {}

    def install(self) -> None:
        """Begin to heed; outside the main thread Python has no signals."""
        self.received = None
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in HEEDED}

    def restore(self) -> None:
        """Give the signals back to who had them."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() returned
        self._before = {}

    def obey(self) -> None:
        """End the run as the signal asks.

        Raises:
            KeyboardInterrupt: For Ctrl-C.
            SIGTERMException: For SIGTERM, and on processes that another one told of it.
        """
        if self.received == signal.SIGINT:
            raise KeyboardInterrupt
        raise SIGTERMException

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        if number == signal.SIGINT and self.received == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)
