"""Clocks for benchmarks of a training run."""

import functools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

MEANWHILE = ", meanwhile"


class Stopwatch:
    """Sums the time that timed calls spend outside other timed calls.

    Args:
        settle: Called before the clock is read: waits for what a GPU was told to do.
        around: Name of calls during which others are summed under a name of their own, with
            ``MEANWHILE`` behind it.
    """

    def __init__(self, settle: Callable[[], object] | None = None, around: str = "") -> None:
        self._settle = settle or (lambda: None)
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._around, self._open = around, list[str]()
        self._inner = [0.0]  # time of timed calls inside each open one

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``function`` with its time counted under ``name``."""

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # passes everything through
            self._settle()
            start = time.perf_counter()
            meanwhile = name != self._around and self._around in self._open
            self._inner.append(0.0)
            self._open.append(name)
            try:
                return function(*args, **kwargs)
            finally:
                self._settle()
                spent = time.perf_counter() - start
                self._open.pop()
                self.seconds[name + meanwhile * MEANWHILE] += spent - self._inner.pop()
                self._inner[-1] += spent

        return call

    def time(self, name: str, owner: object, *methods: str) -> None:
        """Replace methods of an object or class by timed ones."""
        for method in methods:
            setattr(owner, method, self.timed(name, getattr(owner, method)))


class InFlight:
    """Sums the time in which at least one timed call is under way, in whatever threads."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._count, self._since, self._lock = 0, 0.0, Lock()

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function with the time of its calls counted."""

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # passes everything through
            with self._under_way():
                return function(*args, **kwargs)

        return call

    def timed_coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a coroutine function with the time of its calls counted."""

        @functools.wraps(function)
        async def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # passes everything through
            with self._under_way():
                return await function(*args, **kwargs)

        return call

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        with self._lock:
            if self._count == 0:
                self._since = time.perf_counter()
            self._count += 1
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1
                if self._count == 0:
                    self.seconds += time.perf_counter() - self._since


class ThreadTime:
    """Sums the processor time that this thread spends in timed calls, in the outermost ones."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._depth = 0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``function``, to be called in one thread, with its time counted."""

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # passes everything through
            start = time.thread_time()
            self._depth += 1
            try:
                return function(*args, **kwargs)
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self.seconds += time.thread_time() - start

        return call


class Between(Callback):
    """Starts the clocks after ``warmup`` steps and stops them after ``steps`` more.

    Args:
        watch: Of the parts of a step.
        warmup: Steps that are not counted.
        steps: Steps that are.
        clocks: Other clocks by name; each returns seconds.
    """

    def __init__(
        self,
        watch: Stopwatch,
        warmup: int,
        steps: int,
        clocks: Mapping[str, Callable[[], float]] | None = None,
    ) -> None:
        self.watch, self.warmup, self.steps = watch, warmup, steps
        self._clocks = {"total": time.perf_counter, **(clocks or {})}
        self._started: dict[str, float] = {}
        self.seconds: dict[str, float] = {}
        """What passed by each clock; ``total`` is the time of the wall."""
        self.parts: dict[str, float] = {}

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        if batch_idx + 1 == self.warmup:
            self.watch.seconds.clear()
            self._started = {name: clock() for name, clock in self._clocks.items()}
        if batch_idx + 1 == self.warmup + self.steps:
            ends = {name: clock() for name, clock in self._clocks.items()}
            self.seconds = {name: end - self._started[name] for name, end in ends.items()}
            self.parts = dict(self.watch.seconds)
