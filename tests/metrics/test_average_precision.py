"""Average precision against scikit-learn, with ties and absent attributes."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor

from blackbox_anon.metrics import ClassMeanAveragePrecision
from blackbox_anon.metrics.functional import (
    average_precision_per_attribute,
    chance_average_precision,
    class_mean_average_precision,
)

CASES = 1000


def random_case(case: int) -> tuple[Tensor, Tensor]:
    """Scores with many ties and targets in which attributes may be absent or always present."""
    generator = torch.Generator().manual_seed(case)
    samples = int(torch.randint(1, 60, (), generator=generator))
    scores = torch.rand(samples, 5, generator=generator)
    if case % 2:
        scores = (scores * 4).round() / 4
    prevalence = torch.tensor([0.0, 0.05, 0.3, 0.8, 1.0])
    return scores, (torch.rand(samples, 5, generator=generator) < prevalence).long()


def reference(scores: Tensor, targets: Tensor) -> np.ndarray:
    return np.array(
        [
            average_precision_score(t, s) if t.any() else np.nan
            for s, t in zip(scores.T.numpy(), targets.T.numpy(), strict=True)
        ]
    )


def test_equals_scikit_learn_in_total() -> None:
    for case in range(CASES):
        scores, targets = random_case(case)
        expected = reference(scores, targets)
        found = average_precision_per_attribute(scores, targets)
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-9)
        mean = class_mean_average_precision(scores, targets)
        np.testing.assert_allclose(mean, np.nanmean(expected), atol=1e-9)
        metric = ClassMeanAveragePrecision(5)
        for rows, marks in zip(scores.split(7), targets.split(7), strict=True):
            metric.update(rows, marks)
        np.testing.assert_allclose(metric.compute(), np.nanmean(expected), atol=1e-9)
        np.testing.assert_allclose(metric.per_attribute(), expected, atol=1e-9)


@pytest.mark.parametrize("case", range(20))
def test_every_batch_equals_scikit_learn(case: int) -> None:
    scores, targets = random_case(case)
    metric = ClassMeanAveragePrecision(5)
    for rows, marks in zip(scores.split(7), targets.split(7), strict=True):
        expected = np.nanmean(reference(rows, marks))
        np.testing.assert_allclose(metric(rows, marks), expected, atol=1e-9)


def test_chance_is_what_constant_scores_get() -> None:
    _, targets = random_case(3)
    constant = average_precision_per_attribute(torch.zeros(targets.shape), targets)
    torch.testing.assert_close(chance_average_precision(targets), constant, equal_nan=True)


def test_metric_reports_absent_attributes_and_their_chance() -> None:
    scores, targets = random_case(11)
    metric = ClassMeanAveragePrecision(5)
    metric.update(scores, targets)
    expected = chance_average_precision(targets)
    torch.testing.assert_close(metric.chance(), expected, equal_nan=True)
    assert metric.per_attribute()[0].isnan()


def test_no_attribute_at_all_is_nan() -> None:
    assert class_mean_average_precision(torch.rand(4, 2), torch.zeros(4, 2)).isnan()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_score_precision_does_not_matter_for_separated_scores(dtype: torch.dtype) -> None:
    scores = torch.tensor([[0.75], [0.5], [0.25]], dtype=dtype)
    targets = torch.tensor([[1], [0], [1]])
    assert class_mean_average_precision(scores, targets).item() == pytest.approx(5 / 6)


@pytest.mark.parametrize(
    ("scores", "targets", "message"),
    [
        (torch.zeros(3), torch.zeros(3), r"scores: expected shape \(B, A\), found \(3,\)"),
        (torch.zeros(3, 2), torch.zeros(3, 1), r"targets: .*\(3, 2\), found \(3, 1\)"),
        (torch.full((3, 2), torch.nan), torch.zeros(3, 2), "scores: expected finite"),
        (torch.zeros(3, 2), torch.full((3, 2), 2), r"targets: .* found \[2\]"),
    ],
)
def test_wrong_input_is_named(scores: Tensor, targets: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        average_precision_per_attribute(scores, targets)


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ValueError, match="num_attributes: expected at least 1, found 0"):
        ClassMeanAveragePrecision(0)
    with pytest.raises(ValueError, match="expected 3 attributes, found 2"):
        ClassMeanAveragePrecision(3).update(torch.zeros(1, 2), torch.zeros(1, 2))
    with pytest.raises(ValueError, match=r"targets: expected shape \(B, A\)"):
        chance_average_precision(torch.zeros(3))
