"""One flat vector of a module's parameters, and back."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer


def trained_parameters(module: nn.Module) -> list[nn.Parameter]:
    """List a module's trained parameters in a fixed order."""
    return [p for p in module.parameters() if p.requires_grad]


def flatten(tensors: Sequence[Tensor]) -> Tensor:
    """Concatenate tensors to one vector, shape ``(P,)``, detached."""
    return torch.cat([t.detach().reshape(-1) for t in tensors])


def flat_gradient(parameters: Sequence[nn.Parameter]) -> Tensor:
    """Return all gradients as one vector, zeros where there is none."""
    return flatten([p.new_zeros(p.shape) if p.grad is None else p.grad for p in parameters])


def assign_gradient(parameters: Sequence[nn.Parameter], gradient: Tensor) -> None:
    """Write a vector, shape ``(P,)``, to the parameters' ``.grad``."""
    for parameter, part in zip(parameters, _split(parameters, gradient.clone()), strict=True):
        parameter.grad = part.view(parameter.shape).to(parameter.dtype)


@torch.no_grad()
def assign(parameters: Sequence[nn.Parameter], theta: Tensor) -> None:
    """Write a vector, shape ``(P,)``, to the parameters."""
    for parameter, part in zip(parameters, _split(parameters, theta), strict=True):
        parameter.copy_(part.reshape(parameter.shape))


class CallWith:
    """Calls a module with other values for its parameters, again and again.

    Every parameter is replaced: a forgotten one would silently be the live weight. The same as
    :func:`torch.func.functional_call`, which takes longer to prepare a call than a small decoder
    takes to answer it. Not for two threads at once, as that.

    Args:
        module: Whose tables of parameters are looked through once.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module, self._parameters = module, list(module.parameters())
        index = {id(parameter): i for i, parameter in enumerate(self._parameters)}
        self._slots = [
            (owner._parameters, name, index[id(parameter)])
            for owner in module.modules()
            for name, parameter in owner._parameters.items()
            if parameter is not None
        ]

    def __call__(self, theta: Tensor) -> Callable[..., Tensor]:
        """Return the module as a function that uses ``theta``, shape ``(P,)``."""
        pairs = zip(self._parameters, _split(self._parameters, theta), strict=True)
        parts = [part.view(p.shape) for p, part in pairs]

        def call(*args: object) -> Tensor:
            with self._in_their_place(parts):
                result: Tensor = self._module(*args)
            return result

        return call

    @contextmanager
    def _in_their_place(self, parts: Sequence[Tensor]) -> Iterator[None]:
        try:
            for table, name, index in self._slots:
                table[name] = parts[index]  # type: ignore[assignment]  # no parameter, as with PyTorch's own
            yield
        finally:
            for table, name, index in self._slots:
                table[name] = self._parameters[index]


def call_with(module: nn.Module, theta: Tensor) -> Callable[..., Tensor]:
    """Return ``module`` as a function of its inputs that uses ``theta``, see :class:`CallWith`."""
    return CallWith(module)(theta)


def bound_step(parameters: Sequence[nn.Parameter], before: Tensor, limit: float) -> None:
    """Shorten the step from ``before`` to the current values to at most ``limit`` in L2 norm.

    Works behind any optimizer, since it looks at what the step did.
    """
    with torch.no_grad():
        step = flatten(parameters) - before
        shortened = before + step * (limit / step.norm().clamp_min(1e-30)).clamp_max(1.0)
        assign(parameters, shortened)


def descend(
    optimizer: Optimizer | LightningOptimizer,
    parameters: Sequence[nn.Parameter],
    gradient: Tensor,
    decay: float,
    limit: float | None,
) -> Tensor:
    """Let an optimizer take one step of decayed size along a given gradient.

    Args:
        optimizer: Of ``parameters``; its first ``lr`` is remembered as ``initial_lr``.
        parameters: What moves.
        gradient: Shape ``(P,)``.
        decay: Factor of the first ``lr`` at this step.
        limit: Bound on the step's L2 norm, or ``None``.

    Returns:
        The L2 norm of what it moved, a scalar.
    """
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("initial_lr", group["lr"]) * decay
    before = flatten(parameters)
    assign_gradient(parameters, gradient)
    optimizer.step()
    if limit is not None:
        bound_step(parameters, before, limit)
    moved: Tensor = (flatten(parameters) - before).norm()
    return moved


def _split(parameters: Sequence[Tensor], vector: Tensor) -> tuple[Tensor, ...]:
    parts: tuple[Tensor, ...] = vector.split([p.numel() for p in parameters])
    return parts
