import torch

from blackbox_anon.mllms import Failure
from blackbox_anon.scorers import LogprobScorer
from tests.mllms_fakes import FlakyMLLM, LinearMLLM, QuadraticMLLM, TextOnlyMLLM, responses


def test_quadratic_cross_entropy_is_the_distance() -> None:
    frames = torch.randint(0, 256, (3, 2, 3, 4, 4), dtype=torch.uint8) / 255
    mllm = QuadraticMLLM(target=0.25)

    scores = LogprobScorer().scores(responses(mllm.query(frames, ["?"] * 3)), ["yes", "no"])
    loss = torch.nn.functional.cross_entropy(scores.double(), torch.zeros(3, dtype=torch.long))

    torch.testing.assert_close(loss, mllm.loss(frames).mean(), rtol=0, atol=1e-6)


def test_quadratic_is_sure_at_its_target() -> None:
    said = responses(QuadraticMLLM(target=0.0).query(torch.zeros(1, 3, 4, 4), ["?"]))

    torch.testing.assert_close(
        LogprobScorer(floor=-9.0).scores(said, ["yes", "no"]), torch.tensor([[0.0, -9.0]])
    )


def test_linear_scores_are_its_log_softmax() -> None:
    frames = torch.randint(0, 256, (3, 2, 3, 4, 4), dtype=torch.uint8) / 255
    classes = ["walk", "run", "jump"]
    mllm = LinearMLLM(classes, [-2.0, 0.0, 3.0])

    scores = LogprobScorer().scores(responses(mllm.query(frames, ["?"] * 3)), classes)

    expected = mllm.logits(frames).log_softmax(dim=-1).float()
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-6)


def test_flaky_loses_the_scheduled_answers_only() -> None:
    frames = torch.rand(40, 3, 4, 4)
    whole = TextOnlyMLLM().query(frames, ["?"] * 40)
    first, second = (FlakyMLLM(TextOnlyMLLM(), 0.5, seed=3, kind="refusal") for _ in range(2))

    answers = first.query(frames, ["?"] * 40)

    assert answers == second.query(frames, ["?"] * 40)
    assert 0 < first.lost[0].sum() < 40
    for lost, answer, expected in zip(first.lost[0], answers, whole, strict=True):
        if lost:
            assert isinstance(answer, Failure)
            assert answer.kind == "refusal"
        else:
            assert answer == expected
    assert first.query(frames, ["?"] * 40) != answers
