"""Put an anonymizer before a judge, and write down what the judge says."""

from collections.abc import Iterator
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities import CombinedLoader
from torch import Tensor, nn
from torch.utils.data import DistributedSampler

from blackbox_anon.judges import AbstractJudge, Case
from blackbox_anon.metrics import ClassMeanAveragePrecision, ClassMeanPrecision
from blackbox_anon.metrics.functional import sample_ids
from blackbox_anon.mllms import to_uint8
from blackbox_anon.reviewers import AbstractReviewer
from blackbox_anon.tasks.results import number
from blackbox_anon.types import PrivacyBatch


class PrivacyTest(nn.Module):
    """One test's judge and both privacy metrics, which never share a name.

    Args:
        judge: Who judges.
        num_attributes: Columns of the labels that are tested on.
    """

    def __init__(self, judge: AbstractJudge, num_attributes: int) -> None:
        super().__init__()
        self.judge = judge
        self.average_precision = ClassMeanAveragePrecision(num_attributes)
        self.precision = ClassMeanPrecision(num_attributes)
        self._classifier: tuple[nn.Module, ...] = ()  # a tuple, so that it enters no checkpoint

    @property
    def logged(self) -> dict[str, ClassMeanAveragePrecision | ClassMeanPrecision]:
        """Metrics by the names they are logged under."""
        return {
            f"test/cmap_ap_{self.judge.name}": self.average_precision,
            f"test/class_mean_precision_{self.judge.name}": self.precision,
        }

    def prepare(self, task: LightningModule, reviewer: AbstractReviewer) -> None:
        """Let the judge train, with gradients although a test has none.

        Args:
            task: Anonymizes when called.
            reviewer: The task's.

        Raises:
            ValueError: If the judge cannot judge this task.
        """
        trainer = task.trainer
        data = getattr(trainer, "datamodule", None)
        columns = self.average_precision.num_attributes
        trained, tested = (getattr(data, name, None) for name in ("attributes", "test_attributes"))
        case = Case(
            anonymize=lambda frames: received(task, frames),
            reviewer=reviewer,
            training_batches=lambda: _batches(task),
            mean_over_ranks=lambda values: trainer.strategy.reduce(values, reduce_op="mean"),
            num_attributes=columns,
            same_attributes=columns == reviewer.num_attributes and tested in (None, trained),
            quick=bool(getattr(trainer, "fast_dev_run", False)),
            show_progress=trainer.is_global_zero and trainer.progress_bar_callback is not None,
        )
        with torch.inference_mode(mode=False), torch.enable_grad():
            self._classifier = (self.judge.prepare(case),)

    def update(self, task: LightningModule, batch: PrivacyBatch) -> None:
        """Judge one batch of the test set."""
        [classifier] = self._classifier
        frames = received(task, batch["frames"])
        with torch.autocast(frames.device.type, enabled=False):  # rounded scores would tie
            logits = classifier(frames)
        ids = sample_ids(batch["name"])
        self.average_precision.update(logits, batch["attributes"], ids)
        self.precision.update(logits.sigmoid(), batch["attributes"], ids)

    def result(self, names: list[str]) -> dict[str, Any]:
        """Return both numbers with intervals and tables; every process must call it.

        Args:
            names: Attribute ids by column.
        """
        ap, precision = self.average_precision, self.precision
        chance, positives = ap.chance(), ap.positives()
        columns = (ap.per_attribute(), precision.per_attribute(), chance)
        table = zip(names, *(column.tolist() for column in columns), strict=True)
        return {
            **self.judge.description(),
            "samples": len(ap.gathered()),
            "cmap_ap": number(ap.compute().item()),
            "cmap_ap_interval95": [number(bound) for bound in ap.interval()],
            "chance_ap": number(chance.nanmean().item()),
            "class_mean_precision": number(precision.compute().item()),
            "class_mean_precision_interval95": [number(b) for b in precision.interval()],
            "threshold": precision.threshold,
            "never_predicted": precision.never_predicted,
            "absent_attributes": [n for n, p in zip(names, positives, strict=True) if p == 0],
            "per_attribute": {
                name: {"ap": number(a), "precision": number(p), "chance": number(c)}
                for name, a, p, c in table
            },
        }


@torch.no_grad()
def received(task: LightningModule, frames: Tensor) -> Tensor:
    """Anonymize in float32, and round to the 8-bit images that a service receives."""
    with torch.autocast(frames.device.type, enabled=False):
        return to_uint8(task(frames)).float() / 255


def _batches(task: LightningModule) -> Iterator[PrivacyBatch]:
    """Yield privacy batches of the training part for ever, epoch by epoch."""
    data = getattr(task.trainer, "datamodule", None)
    if data is None:
        msg = (
            "`privacy_judge` needs a data module to train on its privacy set; found none. Test "
            "with one, or use CoTrainedReviewer"
        )
        raise ValueError(msg)
    loader = _training_loader(data)
    epoch = 0
    while True:
        if isinstance(loader.sampler, DistributedSampler):
            loader.sampler.set_epoch(epoch)
        for batch in loader:
            cleaned = data.on_before_batch_transfer(batch, 0)
            yield task.transfer_batch_to_device(cleaned, task.device, 0)
        epoch += 1


def _training_loader(data: Any) -> Any:  # noqa: ANN401  # any data module, any loader
    if hasattr(data, "attacker_dataloader"):
        return data.attacker_dataloader()
    data.setup("fit")
    loaders = data.train_dataloader()
    pair = loaders.iterables if isinstance(loaders, CombinedLoader) else loaders
    return pair["privacy"]
