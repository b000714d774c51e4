"""Two processes with uneven shares and repeated samples report what one process would.

One spawn serves all cases of each metric: 200, and 1,000 with ``--runslow``.
"""

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.metrics import average_precision_score, precision_score
from torch import Tensor, distributed
from torch.multiprocessing.spawn import spawn

from blackbox_anon.metrics import (
    ClassMeanAveragePrecision,
    ClassMeanPrecision,
    TopKAccuracy,
    VideoLevel,
    VQAAccuracy,
)
from tests.metrics.cases import random_question, random_scores
from tests.metrics.test_average_precision import random_case
from tests.metrics.test_top_k import reference
from tests.metrics.vqa_reference import official

CASES = [200, pytest.param(1000, marks=pytest.mark.slow)]
DETAILED = 10  # every tenth case is compared attribute by attribute: each value costs a gather


def rows_of(rank: int, samples: int, case: int) -> Tensor:
    """An uneven share, padded as a distributed sampler would; in some cases one rank has none."""
    cut = case % (samples + 1)
    mine = torch.arange(samples)[:cut] if rank == 0 else torch.arange(samples)[cut:]
    repeated = (
        torch.tensor([0, samples - 1]) if case % 3 == 0 else torch.tensor([], dtype=torch.long)
    )
    return torch.cat([mine, repeated])


def attributes(rank: int, case: int) -> list[Tensor]:
    scores, targets = random_case(case)
    rows = rows_of(rank, len(scores), case)
    metrics = [ClassMeanAveragePrecision(5), ClassMeanPrecision(5)]
    for metric in metrics:
        for part in rows.split(7):
            if len(part):
                metric.update(scores[part], targets[part], part)
    each = [metric.per_attribute() for metric in metrics] if case % DETAILED == 0 else []
    return [*(metric.compute() for metric in metrics), *each]


def rest(rank: int, case: int) -> list[Tensor]:
    scores, labels = random_scores(case)
    rows = rows_of(rank, len(scores), case)
    top = TopKAccuracy(1)
    if len(rows):
        top.update(scores[rows], labels[rows], rows)
    questions = [random_question(100 * case + i) for i in range(5)]
    answered = VQAAccuracy()
    for i in rows_of(rank, len(questions), case).tolist():
        prediction, answers = questions[i]
        answered.update([prediction], [answers], torch.tensor([i]))
    return [top.compute(), answered.compute()]


def share(rank: int, folder: str, cases: int) -> None:
    warnings.simplefilter("ignore")  # a rank without samples is warned
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2
    )
    found: dict[str, Any] = {
        "attributes": [attributes(rank, case) for case in range(cases)],
        "rest": [rest(rank, case) for case in range(cases)],
        "videos": by_video(rank),
        "interval": interval(rank),
    }
    torch.save(found, Path(folder) / f"{rank}.pt")
    distributed.destroy_process_group()


def by_video(rank: int) -> list[Tensor]:
    scores, targets = random_case(8)
    rows = rows_of(rank, len(scores), 9)
    metric = VideoLevel(ClassMeanAveragePrecision(5))
    videos = rows // 3
    metric.update(scores[rows], targets[3 * videos], rows, videos=videos)
    return [metric.compute(), metric.per_attribute(), metric.chance()]


def interval(rank: int) -> tuple[float, float]:
    scores, targets = random_case(8)
    rows = rows_of(rank, len(scores), 9)
    metric = ClassMeanAveragePrecision(5)
    metric.update(scores[rows], targets[rows], rows)
    return metric.interval(resamples=20)


@pytest.fixture(scope="module", params=CASES)
def shares(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("shares")
    spawn(share, (str(folder), request.param), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


def test_attributes_equal_scikit_learn(shares: list[dict[str, Any]]) -> None:
    for case in range(len(shares[0]["attributes"])):
        scores, targets = random_case(case)
        pairs = list(zip(scores.T.numpy(), targets.T.numpy(), strict=True))
        ap = [average_precision_score(t, s) if t.any() else torch.nan for s, t in pairs]
        precision = precision_score(
            targets.numpy(), scores.numpy() > 0.5, average=None, zero_division=0
        )
        for found in shares:
            mean, mean_precision, *each = found["attributes"][case]
            expected, by_sklearn = (
                torch.tensor(ap, dtype=torch.float64),
                torch.from_numpy(precision),
            )
            torch.testing.assert_close(mean, expected.nanmean(), equal_nan=True)
            torch.testing.assert_close(mean_precision, by_sklearn.mean())
            if case % DETAILED == 0:
                torch.testing.assert_close(each[0], expected, equal_nan=True)
                torch.testing.assert_close(each[1].nan_to_num(0.0), by_sklearn)


def test_utility_equals_the_references(shares: list[dict[str, Any]]) -> None:
    for case in range(len(shares[0]["rest"])):
        scores, labels = random_scores(case)
        right = reference(scores, labels, 1, "against")
        answered = [official(*random_question(100 * case + i)) for i in range(5)]
        for found in shares:
            top, accuracy = found["rest"][case]
            assert top.item() == pytest.approx(sum(right) / len(right), abs=1e-9)
            assert accuracy.item() == pytest.approx(sum(answered) / 5, abs=1e-9)


def test_videos_and_intervals_equal_one_process(shares: list[dict[str, Any]]) -> None:
    scores, targets = random_case(8)
    rows = torch.arange(len(scores))
    metric = VideoLevel(ClassMeanAveragePrecision(5))
    metric.update(scores, targets[3 * (rows // 3)], rows, videos=rows // 3)
    expected = [metric.compute(), metric.per_attribute(), metric.chance()]
    for found in shares:
        torch.testing.assert_close(found["videos"], expected, equal_nan=True)
    assert shares[0]["interval"] == shares[1]["interval"]
