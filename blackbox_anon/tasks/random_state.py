"""The global random state, to draw the same numbers again."""

import torch


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
        self._cpu = torch.get_rng_state()
        self._cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None

    def restore(self) -> None:
        """Go back to where this was made."""
        torch.set_rng_state(self._cpu)
        if self._cuda is not None:
            torch.cuda.set_rng_state(self._cuda, self._device)
