"""The global random generators, as values that a checkpoint may hold."""

import random
from typing import Any

import numpy as np
import torch


def random_state() -> dict[str, Any]:
    """Return the states of Python's, NumPy's and PyTorch's generators, those of GPUs included.

    Example:
        >>> state = random_state()
        >>> drawn = torch.rand(2)
        >>> restore_random_state(state)
        >>> torch.equal(torch.rand(2), drawn)
        True
    """
    version, words, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)  # noqa: NPY002  # the global one is what others draw from
    on_gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {
        "python": [version, torch.tensor(words), gauss],  # a list is read int by int
        "numpy": [name, torch.from_numpy(np.asarray(keys, np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
        "cuda": on_gpus,
    }


def restore_random_state(state: dict[str, Any]) -> None:
    """Set the global generators; those of GPUs only if there are as many as there were."""
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words.tolist()), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    words32 = keys.numpy().astype(np.uint32)
    np.random.set_state((name, words32, position, has_gauss, cached))  # noqa: NPY002  # the same
    torch.set_rng_state(state["torch"].cpu())
    on_gpus = [generator.cpu() for generator in state["cuda"]]
    if on_gpus and len(on_gpus) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(on_gpus)
