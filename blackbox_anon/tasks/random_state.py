"""The global random state, to draw the same numbers again."""

import torch
from typing_extensions import override


class RandomState:
    """The state of the CPU's generator, and of a GPU's where one is used.

    Args:
        device: Where random numbers are drawn, beside the CPU.

    Example:
        >>> state = RandomState(torch.device("cpu"))
        >>> first = torch.rand(3)
        >>> state.restore()
        >>> torch.equal(first, torch.rand(3))
        True
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._states = [torch.get_rng_state()]
        if device.type == "cuda":
            self._states.append(torch.cuda.get_rng_state(device))

    @override
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RandomState):
            return NotImplemented
        pairs = zip(self._states, other._states, strict=True)
        return all(torch.equal(ours, theirs) for ours, theirs in pairs)

    __hash__ = None  # type: ignore[assignment]  # compared, never kept in sets

    def restore(self) -> None:
        """Go back to where this was made."""
        torch.set_rng_state(self._states[0])
        for state in self._states[1:]:
            torch.cuda.set_rng_state(state, self._device)
