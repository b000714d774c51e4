"""Training text of the embedded MLLM: every question of a clip in one packed sequence.

All questions share the clip's video tokens. Each question block sees the video and itself only, at
the positions it would have if it were asked alone, so training and inference see the same thing.
"""

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from blackbox_anon.world.questions import QuestionAnswer

IGNORED = -100


def prefix_tokens(tokenizer: PreTrainedTokenizerFast, video_tokens: int) -> list[int]:
    """Return ``<s> USER: <video> ...``: what every question block follows."""
    ids: list[int] = tokenizer("USER: <video>").input_ids
    return ids[:-1] + ids[-1:] * video_tokens


def block_tokens(
    tokenizer: PreTrainedTokenizerFast, pair: QuestionAnswer, length: int
) -> tuple[list[int], list[int]]:
    """Return ids and labels of one padded ``question ASSISTANT: answer </s>`` block.

    Raises:
        ValueError: If the text needs more than ``length`` tokens.
    """
    asked = tokenizer(f"{pair.question} ASSISTANT:").input_ids[1:]
    answered = [*tokenizer(pair.answer).input_ids[1:], tokenizer.eos_token_id]
    padding = length - len(asked) - len(answered)
    if padding < 0:
        msg = f"`length` must hold {len(asked) + len(answered)} tokens; found {length}"
        raise ValueError(msg)
    ids = asked + answered + [tokenizer.pad_token_id] * padding
    return ids, [IGNORED] * len(asked) + answered + [IGNORED] * padding


def packed_mask(prefix: int, blocks: int, length: int) -> Tensor:
    """Return the additive attention mask, shape ``(1, 1, L, L)``: causal, blocks mutually blind."""
    total = prefix + blocks * length
    allowed = torch.tril(torch.ones(total, total, dtype=torch.bool))
    owner = torch.cat([torch.full((prefix,), -1), torch.arange(blocks).repeat_interleave(length)])
    allowed &= (owner[None, :] == -1) | (owner[None, :] == owner[:, None])
    mask = torch.zeros(total, total).masked_fill(~allowed, torch.finfo(torch.float32).min)
    return mask[None, None]


def packed_positions(prefix: int, blocks: int, length: int) -> Tensor:
    """Return position ids, shape ``(1, L)``: every block starts right after the prefix."""
    block = torch.arange(prefix, prefix + length)
    return torch.cat([torch.arange(prefix), *[block] * blocks])[None]
