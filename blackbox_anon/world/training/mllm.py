"""Train the embedded MLLM: ``python -m blackbox_anon.world.training.mllm --out DIR``."""

import argparse
import json
import math
import time
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from transformers import VideoLlavaForConditionalGeneration

from blackbox_anon.world.people import PeopleWorld
from blackbox_anon.world.training.architecture import build_model, build_processor, normalise
from blackbox_anon.world.training.augmentation import augment
from blackbox_anon.world.training.sequences import (
    IGNORED,
    block_tokens,
    packed_mask,
    packed_positions,
    prefix_tokens,
)

BLOCK = 12  # tokens of a question with its answer, padded
ASKED = 8  # questions per clip and step
LATER_WEIGHT = 0.1  # of answer tokens after the first
QUESTIONS = (
    *("action", "skin", "gender", "complete", "partial", "nudity", "couple", "group"),
    *("place", "object", "count"),
)
"""Names in the log, in the order of ``PeopleWorld.question_answers``."""


class _Packed(Dataset[tuple[Tensor, Tensor, Tensor, Tensor]]):
    """Clips with packed text and the labels of the auxiliary heads."""

    def __init__(self, world: PeopleWorld) -> None:
        self.world, self.tokenizer = world, build_processor().tokenizer

    def __len__(self) -> int:
        return len(self.world)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        pairs = self.world.question_answers(index)
        blocks = [block_tokens(self.tokenizer, pair, BLOCK) for pair in pairs]
        ids = torch.tensor([t for block in blocks for t in block[0]])
        labels = torch.tensor([t for block in blocks for t in block[1]])
        scene = self.world.scene(index)
        targets = torch.tensor([scene.action, *scene.attributes])
        return self.world.frames(index), ids, labels, targets


class _Auxiliary(nn.Module):
    """Linear read-outs of the projected vision tokens; they speed training up and are dropped."""

    def __init__(self, width: int, frames: int, actions: int, attributes: int) -> None:
        super().__init__()
        self.frames = frames
        self.action = nn.Sequential(
            nn.Linear(width * frames, 256), nn.GELU(), nn.Linear(256, actions)
        )
        self.attributes = nn.Linear(width, attributes)

    def forward(self, tokens: Tensor, targets: Tensor) -> Tensor:
        pooled = tokens.view(len(targets), self.frames, -1, tokens.shape[-1]).mean(2)
        action = functional.cross_entropy(self.action(pooled.flatten(1)), targets[:, 0])
        seen = len(targets) // 2  # the lightly augmented half
        attributes = functional.binary_cross_entropy_with_logits(
            self.attributes(pooled.mean(1))[:seen], targets[:seen, 1:].float()
        )
        return action + attributes


def _rate(step: int, steps: int, warmup: int = 150) -> float:
    if step < warmup:
        return (step + 1) / warmup
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Answer loss per question; later tokens of an answer, mostly ``</s>``, hardly count.

    With all tokens equal an attribute's yes or no was a sixteenth of the loss, and those questions
    stayed at chance for 2,000 steps.
    """
    blocks = labels.view(len(labels), -1, BLOCK)
    known = (blocks != IGNORED).float()
    first = (known.cumsum(-1) == 1).float() * known
    weights = (first + LATER_WEIGHT * (known - first)).flatten()
    losses = functional.cross_entropy(
        logits.float().flatten(0, 1), labels.flatten(), reduction="none", ignore_index=IGNORED
    )
    return 2 * (losses * weights).sum() / weights.sum()


def _choose(ids: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Keep the action question and :data:`ASKED` - 1 others, the same ones for the batch."""
    blocks = ids.shape[1] // BLOCK
    others = 1 + torch.randperm(blocks - 1, generator=generator)[: ASKED - 1]
    kept = torch.cat([torch.zeros(1, dtype=torch.int64), others])
    return tuple(t.view(len(t), blocks, BLOCK)[:, kept].flatten(1) for t in (ids, labels))  # type: ignore[return-value]  # a pair


def train(args: argparse.Namespace) -> None:
    """Train, log every 50 steps, save after every evaluation."""
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    model, processor = build_model(), build_processor()
    if args.resume_from is not None:
        model = VideoLlavaForConditionalGeneration.from_pretrained(
            args.resume_from, dtype="float32"
        )
    elif args.vision is not None:
        model.model.video_tower.load_state_dict(load_file(args.vision))
    model.train()
    world = PeopleWorld("train", length=args.clips, seed=args.seed)
    order = torch.Generator().manual_seed(args.order_seed)
    loader = DataLoader(
        _Packed(world), args.batch_size, shuffle=True, drop_last=True, num_workers=args.workers,
        generator=order, persistent_workers=args.workers > 0,
    )  # fmt: skip
    head = _Auxiliary(model.config.text_config.hidden_size, 8, 10, 7)
    captured: list[Tensor] = []
    model.model.multi_modal_projector.register_forward_hook(lambda _m, _i, o: captured.append(o))
    params = [*model.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(params, lr=args.lr, weight_decay=0.05, betas=(0.9, 0.98))
    prefix = torch.tensor(prefix_tokens(processor.tokenizer, model.config.video_seq_length))
    mask = packed_mask(len(prefix), ASKED, BLOCK)
    positions = packed_positions(len(prefix), ASKED, BLOCK)
    step, start, running = 0, time.time(), [0.0, 0.0]
    while step < args.steps:
        for frames, ids, labels, targets in loader:
            for group in optimizer.param_groups:
                group["lr"] = args.lr * _rate(step, args.steps)
            ids, labels = _choose(ids, labels, generator)
            size = len(ids)
            light, strong = (frames.float() / 255).split(size // 2)
            clips = torch.cat(
                [augment(light, generator, share=0.05), augment(strong, generator, share=0.4)]
            )
            labels[size // 2 :, BLOCK:] = IGNORED  # colours are gone: only the action can be told
            clips = normalise(clips)
            captured.clear()
            with torch.autocast("cpu", torch.bfloat16):
                output = model(
                    input_ids=torch.cat([prefix.expand(size, -1), ids], 1),
                    pixel_values_videos=clips,
                    attention_mask=mask.expand(size, -1, -1, -1),
                    position_ids=positions.expand(size, -1),
                    logits_to_keep=ids.shape[1] + 1,
                )
            answer = _loss(output.logits[:, :-1], labels)
            auxiliary = head(captured[0].float(), targets)
            optimizer.zero_grad()
            (answer + args.auxiliary * auxiliary).backward()
            nn.utils.clip_grad_norm_(params, 1.0)
            optimizer.step()
            step += 1
            running[0] += float(answer.detach()) / 50
            running[1] += float(auxiliary.detach()) / 50
            if step % 50 == 0:
                _log(args.out, step, start, answer=running[0], auxiliary=running[1])
                running = [0.0, 0.0]
            if step % args.evaluate_every == 0 or step == args.steps:
                _log(args.out, step, start, **_evaluate(model, args))
                _save(model, processor, args.out)
            if step == args.steps:
                break


@torch.no_grad()
def _evaluate(
    model: VideoLlavaForConditionalGeneration, args: argparse.Namespace
) -> dict[str, float]:
    """First-token accuracy per kind of question on validation clips."""
    model.eval()
    world = PeopleWorld("val", length=args.validation_clips, seed=args.seed)
    processor = build_processor()
    prefix = torch.tensor(prefix_tokens(processor.tokenizer, model.config.video_seq_length))
    blocks = len(world.question_answers(0))
    mask = packed_mask(len(prefix), blocks, BLOCK)
    positions = packed_positions(len(prefix), blocks, BLOCK)
    hits = torch.zeros(blocks)
    for frames, ids, labels, _ in DataLoader(_Packed(world), 50):
        size = len(ids)
        logits = model(
            input_ids=torch.cat([prefix.expand(size, -1), ids], 1),
            pixel_values_videos=normalise(frames.float() / 255),
            attention_mask=mask.expand(size, -1, -1, -1),
            position_ids=positions.expand(size, -1),
        ).logits[:, len(prefix) - 1 : -1]
        block_labels = labels.view(size, blocks, BLOCK)
        first = (block_labels != -100).int().argmax(-1, keepdim=True)
        predicted = logits.argmax(-1).view(size, blocks, BLOCK)
        right = predicted.gather(-1, first) == block_labels.gather(-1, first)
        hits += right.squeeze(-1).float().sum(0)
    model.train()
    share = (hits / len(world)).tolist()
    return dict(zip(QUESTIONS, share, strict=True))


def _save(model: VideoLlavaForConditionalGeneration, processor: object, out: Path) -> None:
    """Save in half precision; the image tower gets the video tower's weights."""
    model.model.image_tower.load_state_dict(model.model.video_tower.state_dict())
    state = {k: v.half() for k, v in model.state_dict().items() if v.is_floating_point()}
    model.save_pretrained(out, state_dict=state)
    processor.save_pretrained(out)  # type: ignore[attr-defined]


def _log(out: Path, step: int, start: float, **values: float) -> None:
    rounded = {name: round(value, 4) for name, value in values.items()}
    line = {"step": step, "seconds": round(time.time() - start), **rounded}
    with (out / "training_log.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    print(line, flush=True)  # noqa: T201  # a training script's progress


def main() -> None:
    """Parse arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume-from", type=Path, help="folder of an earlier run's model")
    parser.add_argument("--vision", type=Path, help="weights of the first stage")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--order-seed", type=int, default=0)
    parser.add_argument("--clips", type=int, default=40000)
    parser.add_argument("--steps", type=int, default=3500)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=6e-4)
    parser.add_argument("--auxiliary", type=float, default=0.5)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--evaluate-every", type=int, default=500)
    parser.add_argument("--validation-clips", type=int, default=300)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    train(args)


if __name__ == "__main__":
    main()
