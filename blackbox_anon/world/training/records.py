"""Measure, save and log the embedded MLLM while it is trained."""

import json
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from transformers import VideoLlavaForConditionalGeneration, VideoLlavaProcessor

from blackbox_anon.world.people import PeopleWorld
from blackbox_anon.world.training.architecture import build_processor, normalise
from blackbox_anon.world.training.objective import BLOCK, PackedClips
from blackbox_anon.world.training.sequences import (
    IGNORED,
    packed_mask,
    packed_positions,
    prefix_tokens,
)

QUESTIONS = (
    *("action", "skin", "gender", "complete", "partial", "nudity", "couple", "group"),
    *("place", "object", "count"),
)
"""Names in the log, in the order of ``PeopleWorld.question_answers``."""


@torch.no_grad()
def evaluate(
    model: VideoLlavaForConditionalGeneration, *, clips: int, seed: int
) -> dict[str, float]:
    """First-token accuracy per kind of question on raw validation clips."""
    model.eval()
    world = PeopleWorld("val", length=clips, seed=seed)
    prefix = torch.tensor(prefix_tokens(build_processor().tokenizer, model.config.video_seq_length))
    blocks = len(world.question_answers(0))
    mask = packed_mask(len(prefix), blocks, BLOCK)
    positions = packed_positions(len(prefix), blocks, BLOCK)
    hits = torch.zeros(blocks)
    for frames, ids, labels, _ in DataLoader(PackedClips(world), 50):
        size = len(ids)
        logits = model(
            input_ids=torch.cat([prefix.expand(size, -1), ids], 1),
            pixel_values_videos=normalise(frames.float() / 255),
            attention_mask=mask.expand(size, -1, -1, -1),
            position_ids=positions.expand(size, -1),
        ).logits[:, len(prefix) - 1 : -1]
        block_labels = labels.view(size, blocks, BLOCK)
        first = (block_labels != IGNORED).int().argmax(-1, keepdim=True)
        predicted = logits.argmax(-1).view(size, blocks, BLOCK)
        right = predicted.gather(-1, first) == block_labels.gather(-1, first)
        hits += right.squeeze(-1).float().sum(0)
    model.train()
    return dict(zip(QUESTIONS, (hits / len(world)).tolist(), strict=True))


def save(
    model: VideoLlavaForConditionalGeneration, processor: VideoLlavaProcessor, out: Path
) -> None:
    """Save in half precision; the image tower gets the video tower's weights."""
    model.model.image_tower.load_state_dict(model.model.video_tower.state_dict())
    state = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    model.save_pretrained(out, state_dict=state)
    processor.save_pretrained(out)


def log(out: Path, stage: str, step: int, start: float, **values: float) -> None:
    """Append a line to ``training_log.jsonl`` and print it."""
    rounded = {name: round(value, 4) for name, value in values.items()}
    line = {"stage": stage, "step": step, "seconds": round(time.time() - start), **rounded}
    with (out / "training_log.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    print(line, flush=True)  # noqa: T201  # a training script's progress
