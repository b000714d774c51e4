"""A sample counts once, videos are averaged, and nothing depends on the order of batches."""

import math

import pytest
import torch

from blackbox_anon.metrics import (
    AbstractAttributeMetric,
    ClassMeanAveragePrecision,
    ClassMeanPrecision,
    SampleMean,
    VideoLevel,
)
from blackbox_anon.metrics.functional import (
    class_mean_average_precision,
    first_of_each,
    mean_over_videos,
    sample_ids,
)
from tests.metrics.test_average_precision import random_case


def test_ids_are_the_same_everywhere_and_different_for_different_names() -> None:
    names = [f"{folder}/clip {i}" for folder in ("a", "b") for i in range(5000)]
    ids = sample_ids(names)
    assert len(ids.unique()) == len(names)
    assert bool((ids >= 0).all())
    assert sample_ids(["\u00e9t\u00e9.avi"]).tolist() == [378466882479765359]


def test_first_of_each_keeps_the_unnamed() -> None:
    ids = torch.tensor([5, -1, 5, 2, -1, 2, 9])
    assert first_of_each(ids).tolist() == [0, 1, 3, 4, 6]
    assert first_of_each(torch.zeros(0, dtype=torch.int64)).tolist() == []


@pytest.mark.parametrize("make", [ClassMeanAveragePrecision, ClassMeanPrecision])
def test_repeated_samples_change_nothing(make: type[AbstractAttributeMetric]) -> None:
    for case in range(30):
        scores, targets = random_case(case)
        ids = torch.arange(len(scores))
        again = torch.randint(len(scores), (9,))
        once, repeated = make(5), make(5)
        once.update(scores, targets)
        repeated.update(scores, targets, ids)
        repeated.update(scores[again], targets[again], ids[again])
        torch.testing.assert_close(repeated.compute(), once.compute(), equal_nan=True)
        torch.testing.assert_close(repeated.chance(), once.chance(), equal_nan=True)
        assert torch.equal(repeated.positives(), targets.sum(0))


def test_without_ids_every_row_counts() -> None:
    metric = SampleMean()
    metric.update(torch.tensor([1.0, 1.0, 4.0]))
    assert metric.compute() == 2


def test_no_sample_is_nan() -> None:
    with pytest.warns(UserWarning, match="before the ``update``"):
        assert math.isnan(SampleMean().compute())


def test_interval_is_the_bootstrap_of_the_value() -> None:
    scores, targets = random_case(2)
    metric = ClassMeanAveragePrecision(5)
    metric.update(scores, targets, torch.arange(len(scores)))
    metric.update(scores, targets, torch.arange(len(scores)))  # padded: not more certain for it
    low, high = metric.interval(seed=3, resamples=200)
    assert low <= class_mean_average_precision(scores, targets) <= high
    assert (low, high) == metric.interval(seed=3, resamples=200)


def test_ids_must_fit() -> None:
    with pytest.raises(ValueError, match=r"ids: expected 2 integers, found \(3,\)"):
        SampleMean().update(torch.zeros(2), torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"ids: expected 2 integers, .* torch.float32"):
        SampleMean().update(torch.zeros(2), torch.zeros(2))


@pytest.mark.parametrize(
    "inner", [ClassMeanAveragePrecision(5), ClassMeanPrecision(5, 0.4, never_predicted="skip")]
)
def test_video_level_is_the_metric_of_means(inner: AbstractAttributeMetric) -> None:
    for case in range(30):
        scores, targets = random_case(2 * case)
        frames = torch.randint(1, 5, (len(scores),))
        videos = torch.arange(len(scores)).repeat_interleave(frames)
        noise = torch.rand(len(videos), 5) - 0.5
        noise -= mean_over_videos(noise, videos)[videos]  # every video's mean stays
        order = torch.randperm(len(videos))
        metric = VideoLevel(inner)
        for part in order.split(6):
            rows = videos[part]
            metric.update((scores[rows] + noise[part]), targets[rows], videos=rows, ids=part)
        metric.update(
            scores[videos[:2]] + noise[:2],
            targets[videos[:2]],
            videos=videos[:2],
            ids=torch.arange(2)[: len(videos)],
        )
        expected = inner.mean_of(inner.values(inner.marks(scores).double(), targets))
        torch.testing.assert_close(
            metric.compute(), expected.double(), equal_nan=True, atol=1e-6, rtol=0
        )
        assert torch.equal(metric.positives(), targets.sum(0))
        metric.reset()


def test_video_level_needs_videos_with_one_label() -> None:
    metric = VideoLevel(ClassMeanAveragePrecision(1))
    with pytest.raises(ValueError, match="videos: expected 1 ids of videos, found none"):
        metric.update(torch.zeros(1, 1), torch.zeros(1, 1))
    metric.update(torch.zeros(2, 1), torch.tensor([[0], [1]]), videos=torch.tensor([3, 3]))
    with pytest.raises(ValueError, match=r"found \[0.5\]"):
        metric.compute()
