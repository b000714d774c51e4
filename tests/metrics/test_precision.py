"""Thresholded precision against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.metrics import precision_score

from blackbox_anon.metrics import ClassMeanPrecision
from blackbox_anon.metrics.functional import class_mean_precision, precision_per_attribute
from blackbox_anon.metrics.functional.precision import NeverPredicted
from tests.metrics.test_average_precision import CASES, random_case


@pytest.mark.parametrize(("never_predicted", "zero_division"), [("zero", 0.0), ("skip", np.nan)])
@pytest.mark.parametrize("threshold", [0.5, 0.3])
def test_equals_scikit_learn(
    threshold: float, never_predicted: NeverPredicted, zero_division: float
) -> None:
    for case in range(CASES):
        scores, targets = random_case(case)
        if case % 3 == 0:
            scores = (scores * 10).round() / 10  # many at the threshold itself
        expected = precision_score(
            targets.numpy(), scores.numpy() > threshold, average=None, zero_division=zero_division
        )
        mean = np.nan if np.isnan(expected).all() else np.nanmean(expected)
        metric = ClassMeanPrecision(5, threshold, never_predicted=never_predicted)
        for rows, marks in zip(scores.split(7), targets.split(7), strict=True):
            metric.update(rows, marks)
        np.testing.assert_allclose(metric.compute(), mean, atol=1e-9)
        rule = {"threshold": threshold, "never_predicted": never_predicted}
        value = class_mean_precision(scores, targets, **rule)  # type: ignore[arg-type]  # both are right
        np.testing.assert_allclose(value, mean, atol=1e-9)
        found = precision_per_attribute(scores, targets, threshold=threshold)
        torch.testing.assert_close(metric.per_attribute(), found, equal_nan=True)


def test_absent_but_predicted_counts_as_zero() -> None:
    assert class_mean_precision(torch.ones(2, 1), torch.zeros(2, 1)) == 0


def test_threshold_is_strict() -> None:
    scores = torch.tensor([[0.5], [0.6]])
    assert class_mean_precision(scores, torch.tensor([[0], [1]])) == 1


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="never_predicted: expected 'zero' or 'skip', found 'no'"):
        ClassMeanPrecision(2, never_predicted="no")  # type: ignore[arg-type]  # the point
    with pytest.raises(ValueError, match="num_attributes: expected at least 1, found 0"):
        ClassMeanPrecision(0)
    with pytest.raises(ValueError, match="expected 3 attributes, found 2"):
        ClassMeanPrecision(3).update(torch.zeros(1, 2), torch.zeros(1, 2))
