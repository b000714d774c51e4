import torch

from blackbox_anon.mllms import Failure, Response
from blackbox_anon.tasks.answered import answered_part, take
from blackbox_anon.types import UtilityBatch

LOST = Failure(kind="refusal", message="declined")


def batch() -> UtilityBatch:
    return {
        "frames": torch.rand(3, 3, 4, 4),
        "label": torch.tensor([4, 5, 6]),
        "question": ["a?", "b?", "c?"],
        "answers": [["1"], ["2", "2"], ["3"]],
        "name": ["x", "y", "z"],
    }


def test_tensors_and_lists_keep_the_same_samples() -> None:
    whole = batch()
    part = take(whole, [2, 0])
    assert torch.equal(part["frames"], whole["frames"][[2, 0]])
    assert part["label"].tolist() == [6, 4]
    assert part["question"] == ["c?", "a?"]
    assert part["answers"] == [["3"], ["1"]]
    assert part["name"] == ["z", "x"]


def test_only_answered_samples_remain_and_values_find_their_way_back() -> None:
    part = answered_part([Response(text="p"), LOST, Response(text="q")], batch())
    assert [response.text for response in part.responses] == ["p", "q"]
    assert part.batch["name"] == ["x", "z"]
    spread = part.spread(torch.tensor([1, 0]))
    torch.testing.assert_close(spread, torch.tensor([1.0, torch.nan, 0.0]), equal_nan=True)


def test_where_nothing_failed_nothing_is_copied() -> None:
    whole, values = batch(), torch.rand(3)
    part = answered_part([Response(text="p")] * 3, whole)
    assert part.batch is whole
    assert part.spread(values) is values


def test_where_all_failed_nothing_remains() -> None:
    part = answered_part([LOST] * 3, batch())
    assert len(part.batch["frames"]) == len(part.batch["label"]) == len(part.batch["name"]) == 0
    assert part.spread(torch.zeros(0)).isnan().tolist() == [True] * 3
