import json
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from blackbox_anon.weights import SHIPPED
from blackbox_anon.world import PeopleWorld
from blackbox_anon.world.questions import QuestionAnswer, vocabulary
from blackbox_anon.world.training.architecture import build_model, build_tokenizer, normalise
from blackbox_anon.world.training.augmentation import augment, distort
from blackbox_anon.world.training.sequences import (
    IGNORED,
    block_tokens,
    packed_mask,
    packed_positions,
    prefix_tokens,
)

LENGTH = 12


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer()


def test_tokens_turn_back_into_text(tokenizer: PreTrainedTokenizerFast) -> None:
    for pair in PeopleWorld("train", length=20).question_answers(4):
        for text in (pair.question, pair.answer):
            ids = tokenizer(text).input_ids
            assert tokenizer.unk_token_id not in ids
            assert ids[0] == tokenizer.bos_token_id
            back = tokenizer.decode(ids[1:])
            assert back.replace(" ?", "?") == text


def test_every_word_has_one_token(tokenizer: PreTrainedTokenizerFast) -> None:
    ids = [tokenizer(word).input_ids for word in vocabulary()]
    assert all(len(found) == 2 for found in ids)
    assert len({found[1] for found in ids}) == len(ids)


def test_a_block_is_labelled_where_it_answers(tokenizer: PreTrainedTokenizerFast) -> None:
    pair = QuestionAnswer("What is the person doing?", "sit down")
    ids, labels = block_tokens(tokenizer, pair, LENGTH)
    assert len(ids) == len(labels) == LENGTH
    learnt = [label for label in labels if label != IGNORED]
    assert tokenizer.decode(learnt[:-1]) == "sit down"
    assert learnt[-1] == tokenizer.eos_token_id
    assert all(label in (IGNORED, token) for token, label in zip(ids, labels, strict=True))


def test_a_block_that_does_not_fit_is_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(ValueError, match="length"):
        block_tokens(tokenizer, QuestionAnswer("Where is this?", "park"), 3)


@torch.no_grad()
def test_packed_questions_are_answered_as_if_asked_alone(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    model = build_model().eval()
    world = PeopleWorld("val", length=1)
    clip = normalise(world.frames(0)[None].float() / 255)
    prefix = torch.tensor([prefix_tokens(tokenizer, model.config.video_seq_length)])
    pairs = world.question_answers(0)[:3]
    blocks = [torch.tensor([block_tokens(tokenizer, pair, LENGTH)[0]]) for pair in pairs]

    def logits(asked: list[torch.Tensor]) -> torch.Tensor:
        count, start = len(asked), prefix.shape[1]
        output = model(
            input_ids=torch.cat([prefix, *asked], 1),
            pixel_values_videos=clip,
            attention_mask=packed_mask(start, count, LENGTH),
            position_ids=packed_positions(start, count, LENGTH),
        )
        found: torch.Tensor = output.logits[0, start:].view(count, LENGTH, -1)
        return found

    together = logits(blocks)
    for block, expected in zip(blocks, together, strict=True):
        torch.testing.assert_close(logits([block])[0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("vary", [augment, distort])
def test_varied_clips_keep_shape_and_range(
    vary: Callable[[Tensor, torch.Generator], Tensor],
) -> None:
    clips = torch.rand(6, 3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    before = clips.clone()
    first, again = (vary(clips, torch.Generator().manual_seed(2)) for _ in range(2))
    assert first.shape == clips.shape
    assert (first >= 0).all()
    assert (first <= 1).all()
    assert torch.equal(first, again)
    assert torch.equal(clips, before)
    assert not torch.equal(first, clips)


def test_shipped_weights_hold_no_pickle() -> None:
    files = [path for path in SHIPPED["peopleworld"].rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".jsonl", ".md"}
    assert {"anonymizer.safetensors", "reviewer.safetensors"} <= {path.name for path in files}


def test_shipped_mllm_is_the_one_of_this_architecture() -> None:
    folder = SHIPPED["peopleworld"] / "mllm"
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == "video_llava"
    words = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    assert words == build_tokenizer().get_vocab()
