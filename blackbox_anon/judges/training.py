"""Train a judge's classifier, on one process or several."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR
from tqdm import tqdm

from blackbox_anon.judges.abstract import Case
from blackbox_anon.reviewers import AbstractReviewer
from blackbox_anon.types import PrivacyBatch


def check_budget(steps: int, lr: float, *, least_steps: int) -> None:
    """Raise unless a judge may train at all."""
    if steps < least_steps:
        msg = f"`steps` must be at least {least_steps}; found {steps}"
        raise ValueError(msg)
    if lr <= 0:
        msg = f"`lr` must be positive; found {lr}"
        raise ValueError(msg)


def fresh_classifier(given: AbstractReviewer | None, case: Case, seed: int) -> AbstractReviewer:
    """Return a classifier to train: a copy of the given one, or a new one like the reviewer.

    Raises:
        ValueError: If its attributes are not as many as are tested.
    """
    classifier = copy.deepcopy(given) if given is not None else case.reviewer.fresh(seed)
    if classifier.num_attributes != case.num_attributes:
        msg = (
            f"`classifier.num_attributes` must be the tested data's ({case.num_attributes}); "
            f"found {classifier.num_attributes}"
        )
        raise ValueError(msg)
    device = next(case.reviewer.parameters()).device
    return classifier.to(device).requires_grad_()


def train_classifier(
    classifier: AbstractReviewer,
    batches: Iterator[PrivacyBatch],
    case: Case,
    *,
    steps: int,
    lr: float,
    seed: int,
) -> AbstractReviewer:
    """Train on labelled images, mirrored at random, and return the classifier in evaluation mode.

    Every process takes its own batches and the mean of all gradients, so all end with the same
    parameters.
    """
    count = 1 if case.quick else steps
    classifier.train()
    optimizer = AdamW(classifier.parameters(), lr=lr, weight_decay=0.05)
    schedule = OneCycleLR(optimizer, lr, max(count, 2))
    generator = torch.Generator().manual_seed(seed)
    bar = tqdm(range(count), desc="Training the judge", disable=not case.show_progress)
    for _ in bar:
        batch = next(batches)
        frames = _mirrored(batch["frames"], generator)
        optimizer.zero_grad()
        loss = classifier.loss(frames, batch["attributes"])
        loss.backward()
        _average_gradients(classifier, case)
        optimizer.step()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    for buffer in classifier.buffers():  # statistics of batch normalization
        if buffer.is_floating_point():
            buffer.copy_(case.mean_over_ranks(buffer))
    return classifier.eval()


def _average_gradients(classifier: AbstractReviewer, case: Case) -> None:
    gradients = [p.grad for p in classifier.parameters() if p.grad is not None]
    mean: Tensor = case.mean_over_ranks(parameters_to_vector(gradients))
    parts = mean.split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def _mirrored(frames: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror half of the images or clips: attributes do not depend on the side."""
    flip = torch.rand(len(frames), generator=generator) < 0.5
    shape = (-1, *(1,) * (frames.ndim - 1))
    return torch.where(flip.to(frames.device).view(shape), frames.flip(-1), frames)
