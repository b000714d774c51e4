"""Random directions that depend on nothing but a seed and a step."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def rademacher(size: int, seed: int, step: int) -> Float[Tensor, " {size}"]:
    r"""Draw a vector of independent fair signs.

    .. math:: \Delta_k \in \{-1, +1\}^P

    The stream is always drawn on the CPU by a generator of its own: CPU and GPU generators differ
    for one seed, and reseeding the global generator would disturb shuffling and dropout. Every
    rank and every resumed run therefore sees the same directions.

    Args:
        size: Number of parameters ``P``.
        seed: Seed of the run, 0 or more.
        step: Step of the run, 0 or more. ``(1, 2)`` and ``(2, 1)`` give unrelated directions.

    Returns:
        Signs, shape ``(size,)``, float32, on the CPU.

    Raises:
        ValueError: If ``seed`` or ``step`` is negative.

    Example:
        >>> torch.equal(rademacher(64, seed=1, step=2), rademacher(64, seed=1, step=2))
        True
        >>> torch.equal(rademacher(64, seed=1, step=2), rademacher(64, seed=2, step=1))
        False

    Reference:
        Sec. 3.1 of "When Visual Privacy Protection Meets Multimodal Large Language Models",
        IJCV 2026; seeds mixed by :class:`numpy.random.SeedSequence`.
    """
    bits = torch.randint(2, (size,), generator=_generator(seed, step), device="cpu")
    return bits.to(torch.float32).mul_(2).sub_(1)


def segmented_uniform(size: int, seed: int, step: int) -> Float[Tensor, " {size}"]:
    r"""Draw independent entries from ``[-1, -0.5]`` and ``[0.5, 1]``.

    Away from zero, so that dividing by an entry is safe. As for :func:`rademacher`, nothing but the
    seed and the step decides.

    Args:
        size: Number of parameters ``P``.
        seed: Seed of the run, 0 or more.
        step: Step of the run, 0 or more.

    Returns:
        Entries, shape ``(size,)``, float32, on the CPU.

    Raises:
        ValueError: If ``seed`` or ``step`` is negative.

    Example:
        >>> drawn = segmented_uniform(64, seed=0, step=1).abs()
        >>> bool((drawn >= 0.5).all()), bool((drawn <= 1).all())
        (True, True)

    Reference:
        Sec. 4 of "BlackVIP: Black-Box Visual Prompting for Robust Transfer Learning", CVPR 2023.
    """
    generator = _generator(seed, step)
    signs = torch.randint(2, (size,), generator=generator, device="cpu").to(torch.float32) * 2 - 1
    return signs * (0.5 + 0.5 * torch.rand(size, generator=generator, device="cpu"))


def gaussian(size: int, seed: int, step: int) -> Float[Tensor, " {size}"]:
    """Draw independent standard normal entries; as for :func:`rademacher`, the same everywhere.

    Args:
        size: Number of entries.
        seed: Seed of the run, 0 or more.
        step: Step of the run, 0 or more.

    Returns:
        Entries, shape ``(size,)``, float32, on the CPU.

    Raises:
        ValueError: If ``seed`` or ``step`` is negative.
    """
    return torch.randn(size, generator=_generator(seed, step), device="cpu")


def _generator(seed: int, step: int) -> torch.Generator:
    if seed < 0 or step < 0:
        msg = f"`seed` and `step` must be 0 or more; found {seed} and {step}"
        raise ValueError(msg)
    mixed = int(np.random.SeedSequence((seed, step)).generate_state(1)[0])
    return torch.Generator(device="cpu").manual_seed(mixed)
