"""A privacy attacker trained from scratch on what an anonymizer lets through."""

from dataclasses import dataclass
from threading import Lock

import torch
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from blackbox_anon.reviewers import AttributeReviewer

_SEEDING = Lock()  # threads share one global random state


@dataclass(frozen=True, kw_only=True)
class AttackBudget:
    """What every method's attacker may spend; the same for all, so figures compare.

    Attributes:
        backbone: timm model, never pretrained.
        steps: Optimizer steps.
        batch_size: Images per step.
        lr: Peak learning rate of a one-cycle schedule.
        seed: Seed of initialization and order.
        label_smoothing: See :class:`~blackbox_anon.reviewers.AttributeReviewer`.
    """

    backbone: str = "test_resnet"
    steps: int = 200
    batch_size: int = 48
    lr: float = 4e-3
    seed: int = 0
    label_smoothing: float = 0.0


def train_attacker(frames: Tensor, attributes: Tensor, budget: AttackBudget) -> AttributeReviewer:
    """Train an attacker on anonymized images with their true attributes.

    Args:
        frames: Images ``(N, 3, H, W)``, uint8: what a service received.
        attributes: ``(N, A)``, 0 or 1.
        budget: What it may spend.

    Returns:
        The attacker, in evaluation mode. The global random state is left as it was.

    Raises:
        ValueError: If there are fewer images than one batch.
    """
    if len(frames) < budget.batch_size:
        msg = f"`frames` must hold at least one batch ({budget.batch_size}); found {len(frames)}"
        raise ValueError(msg)
    with _SEEDING, torch.random.fork_rng(devices=[]):
        torch.manual_seed(budget.seed)
        attacker = AttributeReviewer(
            budget.backbone, attributes.shape[1], label_smoothing=budget.label_smoothing
        ).train()
    generator = torch.Generator().manual_seed(budget.seed)
    optimizer = AdamW(attacker.parameters(), lr=budget.lr, weight_decay=0.05)
    schedule = OneCycleLR(optimizer, budget.lr, budget.steps)
    with torch.enable_grad():
        for _ in range(budget.steps):
            chosen = torch.randint(len(frames), (budget.batch_size,), generator=generator)
            images = _mirror(frames[chosen].float().div(255), generator)
            loss = attacker.loss(images, attributes[chosen].float())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return attacker.eval()


@torch.no_grad()
def attack(attacker: AttributeReviewer, clips: Tensor, batch_size: int = 64) -> Tensor:
    """Return the attacker's probabilities for clips ``(N, T, 3, H, W)``, uint8: ``(N, A)``."""
    parts = [attacker(part.float().div(255)).sigmoid() for part in clips.split(batch_size)]
    return torch.cat(parts)


def _mirror(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror half of the images: attributes do not depend on the side."""
    flip = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5
    return torch.where(flip, images.flip(-1), images)
