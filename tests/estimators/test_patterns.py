import pytest
import torch
from scipy.fft import dct
from torch.nn.functional import interpolate

from blackbox_anon.estimators.functional import Basis, axis_basis, patterns


def test_grid_is_bilinear_interpolation() -> None:
    coefficients = torch.randn(2, 1, 3, 4, 4, dtype=torch.float64)
    expected = interpolate(coefficients[:, 0], (10, 7), mode="bilinear", align_corners=False)
    torch.testing.assert_close(patterns(coefficients, "grid", 10, 7)[:, 0], expected)


def test_cosines_are_the_transforms_rows() -> None:
    expected = torch.from_numpy(dct(torch.eye(9).numpy(), axis=0, norm="ortho"))[:4].T * 9**0.5
    torch.testing.assert_close(axis_basis("cosine", 4, 9), expected.double(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", ["grid", "cosine"])
def test_signs_give_patterns_of_unit_size(kind: Basis) -> None:
    signs = torch.randint(2, (64, 1, 3, 4, 4)).double() * 2 - 1
    size = patterns(signs, kind, 32, 32).square().mean().sqrt()
    assert 0.6 < size < 1.1


@pytest.mark.parametrize(("cells", "size"), [(0, 4), (5, 4)])
def test_refuses_cells(cells: int, size: int) -> None:
    with pytest.raises(ValueError, match=f"`cells` must be from 1 to the 4 .*found {cells}"):
        axis_basis("grid", cells, size)


def test_refuses_kind() -> None:
    with pytest.raises(ValueError, match="`kind` must be 'grid' or 'cosine'; found 'haar'"):
        axis_basis("haar", 2, 4)  # type: ignore[arg-type]  # wrong on purpose
