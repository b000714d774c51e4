"""What PyTorch keeps per thread, so that a model gives the same answers in a worker thread."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch

_AUTOCAST_DEVICES = ("cpu", "cuda")


@dataclass(frozen=True, kw_only=True)
class CallerState:
    """The current CUDA device and the autocast settings of the thread that asks.

    Attributes:
        device: Index of the CUDA device, ``None`` where CUDA is not in use.
        autocast: Device type, whether it is on, and its number format.
    """

    device: int | None
    autocast: tuple[tuple[str, bool, torch.dtype], ...]

    @classmethod
    def capture(cls) -> "CallerState":
        """Return the state of this thread."""
        started = torch.cuda.is_available() and torch.cuda.is_initialized()
        return cls(
            device=torch.cuda.current_device() if started else None,
            autocast=tuple(
                (kind, torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind))
                for kind in _AUTOCAST_DEVICES
            ),
        )

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Take over the state in this thread."""
        with ExitStack() as stack:
            if self.device is not None:
                stack.enter_context(torch.cuda.device(self.device))
            for kind, enabled, dtype in self.autocast:
                if enabled != torch.is_autocast_enabled(kind):
                    stack.enter_context(torch.autocast(kind, dtype, enabled))
            yield
