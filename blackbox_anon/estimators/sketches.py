"""Random projections of an anonymizer's Jacobian, and the few directions that hold most of them."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from blackbox_anon.estimators.functional import gaussian

Sketch = Literal["noise", "changes"]

_GRID = 4  # cells a side of the field that varies how much of an image's changes is weighed


def sketch_weights(sketch: Sketch, shaped: Tensor, seed: int, number: int) -> Tensor:
    """Draw what a projection weighs the frames' pixels with.

    Args:
        sketch: ``"noise"``: independent normal numbers. ``"changes"``: ``shaped`` times a field of
            each image, normal on 4 x 4 cells and interpolated, the same for all channels.
        shaped: Frames or, for ``"changes"``, what was changed in them, shape
            ``(B, ..., 3, H, W)``.
        seed: Seed of the draws.
        number: Which draw of this seed.

    Returns:
        Weights, shaped like ``shaped``.

    Example:
        >>> changed = torch.zeros(2, 3, 8, 8)
        >>> changed[:, :, :4] = 0.1
        >>> weights = sketch_weights("changes", changed, seed=0, number=1)
        >>> bool(weights[:, :, :4].any()), bool(weights[:, :, 4:].any())
        (True, False)
    """
    if sketch == "noise":
        return gaussian(shaped.numel(), seed, number).view(shaped.shape).to(shaped)
    images = shaped.flatten(0, -4)
    coarse = gaussian(len(images) * _GRID**2, seed, number).view(-1, 1, _GRID, _GRID)
    field = functional.interpolate(coarse.to(shaped), images.shape[-2:], mode="bilinear")
    return (images * field).view(shaped.shape)


def leading_directions(projections: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return orthonormal directions that hold most of some vectors.

    Args:
        projections: Vectors, shape ``(M, P)``, ``M`` at least ``rank``.
        rank: Number ``K`` of directions.

    Returns:
        The directions, shape ``(K, P)``, and the share of the vectors' squared length that they
        hold, a scalar. Directions beyond the vectors' own rank are zero.

    Example:
        >>> found, share = leading_directions(torch.tensor([[0.0, 3.0], [0.0, 1.0]]), rank=1)
        >>> found.abs(), share
        (tensor([[0., 1.]]), tensor(1.))
    """
    values, vectors = torch.linalg.eigh(projections @ projections.T)  # (M, M): M is small
    values, vectors = values[-rank:].clamp_min(0), vectors[:, -rank:]
    lengths = values.sqrt()
    whole = projections.square().sum()
    real = lengths > 1e-4 * whole.sqrt()  # the Gram matrix squares what rounding left
    scale = torch.where(real, 1 / lengths, 0.0)
    return scale.unsqueeze(1) * (vectors.T @ projections), values.sum() / whole
