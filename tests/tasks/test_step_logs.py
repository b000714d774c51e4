"""What a step shows of its frames, against PyTorch's own."""

import pytest
import torch

from blackbox_anon.tasks.step_logs import frame_logs


@pytest.mark.parametrize("shape", [(3, 3, 8, 6), (3, 2, 3, 8, 6)])
@pytest.mark.parametrize("level", [0.0, 0.9])  # almost constant: nothing cancels
def test_contrast_is_the_standard_deviation_over_pixels(
    shape: tuple[int, ...], level: float
) -> None:
    raw, anonymized = torch.rand(shape), level + 1e-4 * torch.rand(shape)
    found = frame_logs({"raw": raw, "anonymized": anonymized, "scores": torch.zeros(3)})
    for name, frames in (("train/input_std", raw), ("train/output_std", anonymized)):
        first = frames[:, 0] if len(shape) == 5 else frames
        expected = first.double().std(dim=(-2, -1)).mean()
        assert found[name].item() == pytest.approx(expected.item(), rel=1e-3)
