"""Nothing that is tested on is trained on."""

import logging
from collections.abc import Mapping

from blackbox_anon.datamodules.abstract import AbstractDataModule, Role
from blackbox_anon.datasets import AbstractDataset, Excluding
from blackbox_anon.errors import DatasetNotFoundError

logger = logging.getLogger(__name__)


def without_tested(
    dataset: AbstractDataset,
    role: Role,
    modules: Mapping[Role, AbstractDataModule],
    test_modules: Mapping[Role, AbstractDataModule],
) -> AbstractDataset:
    """Leave the files of the test sets out of a training set, and log how many.

    The two parts of one set are apart by their official lists; only test sets of their own are
    compared, by the names of files, where both have one source.

    Args:
        dataset: Training samples.
        role: Their role.
        modules: What is trained on, by role.
        test_modules: What is tested on, by role.

    Returns:
        The samples, or a view with fewer.

    Raises:
        DatasetNotFoundError: If a test set's lists are missing, or nothing is left to train on.
    """
    tested: set[str] = set()
    for test_role, module in test_modules.items():
        if module is not modules[test_role] and module.source == modules[role].source:
            tested.update(module.dataset("test", test_role).origins)
    kept = Excluding(dataset, tested)
    if not kept.excluded:
        return dataset
    logger.warning(
        "leak guard: %d of %d training samples of %s left out, they are tested on",
        kept.excluded,
        len(dataset),
        modules[role].source,
    )
    if not len(kept):
        raise DatasetNotFoundError(
            "leak_guard: expected training samples that are not tested on, found none"
        )
    return kept


def check_roles(
    modules: Mapping[Role, AbstractDataModule], test_modules: Mapping[Role, AbstractDataModule]
) -> None:
    """Refuse a set in a place it cannot serve in.

    Args:
        modules: What is trained on, by role.
        test_modules: What is tested on, by role.

    Raises:
        ValueError: If a set lacks the role.
    """
    for prefix, chosen in (("", modules), ("test_", test_modules)):
        for role, module in chosen.items():
            if role not in module.roles:
                raise ValueError(
                    f"`{prefix}{role}` must be a set for {role}; found {type(module).__name__}, "
                    f"which is one for {' and '.join(module.roles)}"
                )
            if not prefix and not module.has("train", role):
                raise ValueError(
                    f"`{role}` must be a set with a training part for {role}; found "
                    f"{type(module).__name__}, which is tested on only"
                )


def check_attributes(trained: list[str], tested: list[str], *, novel: bool) -> None:
    """Refuse attributes that make a result mean something else than it says.

    Args:
        trained: Attribute ids that training labels.
        tested: Attribute ids that testing labels.
        novel: Whether the tested ones must be unknown to training.

    Raises:
        ValueError: If novel attributes reach training, or others differ from training's.
    """
    shared = [a for a in tested if a in trained]
    if novel and shared:
        raise ValueError(
            f"`novel_attributes` must be attributes that training never sees; found {shared} in "
            "`privacy` and in `test_privacy`"
        )
    if not novel and trained != tested:
        raise ValueError(
            f"`test_privacy` must have the attributes of `privacy`, {trained}, in this order, or "
            f"`novel_attributes: true`; found {tested}"
        )
