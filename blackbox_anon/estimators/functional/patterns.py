"""Coarse bases of an image, one axis at a time."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Basis = Literal["grid", "cosine"]


def axis_basis(kind: Basis, cells: int, size: int) -> Float[Tensor, "{size} {cells}"]:
    """Return the columns that an axis of an image is described by.

    Args:
        kind: ``"grid"``: equal cells, linearly interpolated between their centres, so that an
            entry is the value near its cell. ``"cosine"``: the lowest frequencies of the discrete
            cosine transform, of root mean square 1 and orthogonal.
        cells: Number of columns.
        size: Pixels of the axis, at least ``cells``.

    Returns:
        Shape ``(size, cells)``, float64.

    Raises:
        ValueError: If ``kind`` is another, or ``size`` is too small.

    Example:
        >>> axis_basis("grid", 2, 4)[:, 0]
        tensor([1.0000, 0.7500, 0.2500, 0.0000], dtype=torch.float64)
        >>> round(axis_basis("cosine", 2, 4)[:, 1].square().mean().item(), 6)
        1.0
    """
    if not 1 <= cells <= size:
        msg = f"`cells` must be from 1 to the {size} pixels of an axis; found {cells}"
        raise ValueError(msg)
    if kind == "grid":
        one_hot = torch.eye(cells, dtype=torch.float64).unsqueeze(1)
        raised: Tensor = functional.interpolate(one_hot, size, mode="linear", align_corners=False)
        return raised.squeeze(1).T
    if kind == "cosine":
        place = (torch.arange(size, dtype=torch.float64) + 0.5) / size
        waves = torch.cos(math.pi * place.unsqueeze(1) * torch.arange(cells))
        return waves * torch.tensor([1.0] + [math.sqrt(2)] * (cells - 1), dtype=torch.float64)
    msg = f"`kind` must be 'grid' or 'cosine'; found {kind!r}"
    raise ValueError(msg)


def patterns(
    coefficients: Float[Tensor, "B T C G G"], kind: Basis, height: int, width: int
) -> Float[Tensor, "B T C H W"]:
    """Bring coefficients to full size; signs give a pattern whose root mean square is about 1.

    Args:
        coefficients: Shape ``(B, T, C, G, G)``.
        kind: See :func:`axis_basis`.
        height: Pixels.
        width: Pixels.

    Returns:
        Patterns, shape ``(B, T, C, height, width)``. Those of a grid of signs stay in ``[-1, 1]``.
    """
    cells = coefficients.shape[-1]
    rows = axis_basis(kind, cells, height).to(coefficients)
    columns = axis_basis(kind, cells, width).to(coefficients)
    scale = 1 / cells if kind == "cosine" else 1.0
    found: Tensor = scale * (rows @ coefficients @ columns.T)
    return found
