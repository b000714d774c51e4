"""What one training step logs."""

from torch import Tensor

from blackbox_anon.estimators.abstract import Estimate
from blackbox_anon.scalarizations.abstract import Scalarized

UTILITY, PRIVACY = 0, 1


def step_logs(
    estimate: Estimate, privacy_loss: Tensor, combined: Scalarized, gradients: Tensor
) -> dict[str, Tensor]:
    """Collect the scalars of a step under ``train/...``.

    Args:
        estimate: The utility objective's estimate.
        privacy_loss: L_privacy, a scalar.
        combined: What the scalarization made of both.
        gradients: The scaled gradients, shape ``(2, P)``.
    """
    norms = gradients.norm(dim=1)
    logs = {
        "utility_loss": estimate.loss,
        "privacy_loss": privacy_loss,
        "utility_distance": combined.distances[UTILITY],
        "privacy_distance": combined.distances[PRIVACY],
        "objective": combined.value,
        "active": combined.active.float(),
        "utility_gradient_norm": norms[UTILITY],
        "privacy_gradient_norm": norms[PRIVACY],
        "combined_gradient_norm": combined.gradient.norm(),
        **estimate.logs,
    }
    return {f"train/{name}": value.float() for name, value in logs.items()}
