"""Confidence intervals for what an evaluation reports."""

from collections.abc import Callable, Sequence
from statistics import NormalDist

import torch
from torch import Tensor


def bootstrap_interval(
    statistic: Callable[..., Tensor],
    samples: Sequence[Tensor],
    *,
    seed: int,
    resamples: int = 1000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap: recompute the statistic on samples drawn with replacement.

    Args:
        statistic: Maps the resampled ``samples`` to a scalar. A NaN (no attribute occurred in that
            resample) is left out.
        samples: Tensors with one row per sample, resampled together.
        seed: Seed of a private generator; the global one is not touched.
        resamples: How often to draw.
        level: Coverage, between 0 and 1.

    Returns:
        Lower and upper bound; both NaN if the statistic was NaN every time.

    Raises:
        ValueError: If there is no sample, the lengths differ, or a number is out of its range.

    Example:
        >>> correct = torch.tensor([1.0] * 80 + [0.0] * 20)
        >>> low, high = bootstrap_interval(torch.mean, [correct], seed=0)
        >>> 0.70 < low < 0.80 < high < 0.90
        True
    """
    size = _common_length(samples)
    _check_level(level)
    if resamples < 1:
        raise ValueError(f"resamples: expected at least 1, found {resamples}.")
    generator = torch.Generator().manual_seed(seed)
    draws = (torch.randint(size, (size,), generator=generator) for _ in range(resamples))
    values = torch.tensor(
        [float(statistic(*(rows[draw.to(rows.device)] for rows in samples))) for draw in draws],
        dtype=torch.float64,
    )
    tail = (1 - level) / 2
    low, high = values.nanquantile(torch.tensor([tail, 1 - tail], dtype=torch.float64)).tolist()
    return low, high


def wilson_interval(successes: int, trials: int, *, level: float = 0.95) -> tuple[float, float]:
    r"""Wilson score interval of a share, such as Top-1; sound for few samples and near 0 or 1.

    .. math:: \frac{\hat p + z^2/2n \pm z\sqrt{\hat p(1-\hat p)/n + z^2/4n^2}}{1 + z^2/n}

    Args:
        successes: How many were right.
        trials: Out of how many, positive.
        level: Coverage, between 0 and 1.

    Returns:
        Lower and upper bound in ``[0, 1]``.

    Raises:
        ValueError: If ``successes`` is not within ``0..trials`` or a number is out of its range.

    Example:
        >>> low, high = wilson_interval(80, 100)
        >>> round(low, 4), round(high, 4)
        (0.7112, 0.8666)

    Reference:
        `Wilson, JASA 1927 <https://doi.org/10.1080/01621459.1927.10502953>`_.
    """
    _check_level(level)
    if trials < 1:
        raise ValueError(f"trials: expected at least 1, found {trials}.")
    if not 0 <= successes <= trials:
        raise ValueError(f"successes: expected 0 to {trials}, found {successes}.")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, shrink = successes / trials, z * z / trials
    half = z * (share * (1 - share) / trials + shrink / (4 * trials)) ** 0.5
    centre = share + shrink / 2
    # At 0 and at all successes the bound is exact; rounding must not push it outside.
    low, high = max(0.0, (centre - half) / (1 + shrink)), min(1.0, (centre + half) / (1 + shrink))
    return low, high


def _common_length(samples: Sequence[Tensor]) -> int:
    """Return the number of rows, checked to be positive and the same everywhere."""
    lengths = {len(rows) for rows in samples}
    if len(lengths) != 1 or lengths == {0}:
        raise ValueError(
            f"samples: expected tensors of one common, positive length, found {sorted(lengths)}."
        )
    return lengths.pop()


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level: expected between 0 and 1, found {level}.")
