"""How many queries Lightning's settings mean."""

from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.utilities import CombinedLoader
from torch.utils.data import DataLoader

from blackbox_anon.ledger.forecast import limited, samples_drawn
from blackbox_anon.tasks import BlackBoxAnonymization


def expected_queries(
    task: BlackBoxAnonymization,
    loader: CombinedLoader,
    validated: DataLoader[Any],
    trainer: Trainer,
) -> tuple[dict[str, int], int]:
    """Return the queries of a fit by phase, and how often queries are made together.

    Args:
        task: What is trained.
        loader: Pairs of training batches; it knows its length once it was iterated.
        validated: The loader of the utility set in validation.
        trainer: The task's trainer, before the fit.
    """
    ranks = trainer.world_size
    an_epoch = limited(max(len(loader) // ranks, 1), trainer.limit_train_batches)
    steps = _steps(task, trainer, an_epoch)
    utility = loader.iterables["utility"]
    whole, rest = divmod(steps, max(an_epoch, 1))
    samples = whole * _samples(utility, an_epoch) + _samples(utility, rest)
    asked, batches = _validation(validated, trainer, steps, an_epoch)
    queries = {
        "training": samples * ranks * task.estimator.queries_per_sample,
        "validation": asked,
    }
    return queries, steps + batches


def _steps(task: BlackBoxAnonymization, trainer: Trainer, an_epoch: int) -> int:
    """Steps of the anonymizer; Lightning counts those of both optimizers."""
    epochs = trainer.max_epochs
    by_epochs = None if epochs is None or epochs < 0 else epochs * an_epoch
    by_steps = None
    if trainer.max_steps >= 0:
        by_steps = -(-trainer.max_steps // (task.reviewer_steps + 1))
    found = [steps for steps in (by_epochs, by_steps) if steps is not None]
    return min(found, default=1000 * an_epoch)  # Lightning's own default of epochs


def _samples(loader: DataLoader[Any], batches: int) -> int:
    return samples_drawn(
        batches,
        samples=len(loader.dataset),  # type: ignore[arg-type]  # all data sets here have a length
        batch_size=loader.batch_size or 1,
        drop_last=loader.drop_last,
    )


def _validation(
    loader: DataLoader[Any], trainer: Trainer, steps: int, an_epoch: int
) -> tuple[int, int]:
    """Samples asked about, and batches, over all validations and the sanity check."""
    batches = limited(len(loader), trainer.limit_val_batches)
    times = _validations(trainer, steps, an_epoch)
    sane = limited(batches, int(min(trainer.num_sanity_val_steps, batches)))
    asked = times * _samples(loader, batches) + _samples(loader, sane)
    return asked, times * batches + sane


def _validations(trainer: Trainer, steps: int, an_epoch: int) -> int:
    interval, every = trainer.val_check_interval, trainer.check_val_every_n_epoch
    if every is None:
        return steps // int(interval)
    in_an_epoch = 1
    if isinstance(interval, int) and not isinstance(interval, bool):
        in_an_epoch = an_epoch // interval
    elif isinstance(interval, float):
        in_an_epoch = an_epoch // max(int(an_epoch * interval), 1)
    return steps // max(an_epoch, 1) // every * in_an_epoch
