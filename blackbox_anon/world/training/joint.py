"""Last stage of the embedded MLLM: tower and language model together, on harshly varied clips too.

``python -m blackbox_anon.world.training.joint --resume-from DIR --out DIR``. Half of each batch is
seen nearly as it is and asked everything, half loses its colours, its light or its sharpness
(:func:`distort`) and is asked for the action only, which can still be told.
"""

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm
from transformers import VideoLlavaForConditionalGeneration

from blackbox_anon.world.people import PeopleWorld
from blackbox_anon.world.training.architecture import build_processor, normalise
from blackbox_anon.world.training.augmentation import augment, distort
from blackbox_anon.world.training.objective import (
    ASKED,
    BLOCK,
    PackedClips,
    answer_loss,
    choose_questions,
    warm_cosine,
)
from blackbox_anon.world.training.records import evaluate, log, save
from blackbox_anon.world.training.sequences import packed_mask, packed_positions, prefix_tokens

LIGHT = 0.05  # share of each strong change in the first half of a batch


def train(args: argparse.Namespace) -> None:
    """Train everything; log every 50 steps, save at evaluations."""
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    model = VideoLlavaForConditionalGeneration.from_pretrained(args.resume_from, dtype="float32")
    model, processor = model.train(), build_processor()
    world = PeopleWorld("train", length=args.clips, seed=args.seed)
    drawn = list(tqdm(DataLoader(PackedClips(world), 50, num_workers=args.workers)))
    pool = [torch.cat(part) for part in zip(*drawn, strict=True)]
    params = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(params, lr=args.lr, weight_decay=0.05, betas=(0.9, 0.98))
    prefix = prefix_tokens(processor.tokenizer, model.config.video_seq_length)
    mask = packed_mask(len(prefix), ASKED, BLOCK)
    positions = packed_positions(len(prefix), ASKED, BLOCK)
    start, running, half = time.time(), 0.0, args.batch_size // 2
    for step in range(args.steps):
        for group in optimizer.param_groups:
            group["lr"] = args.lr * warm_cosine(step, args.steps)
        chosen = torch.randint(len(world), (args.batch_size,), generator=generator)
        frames, ids, labels, _ = (part[chosen] for part in pool)
        clips = frames.float() / 255
        seen = torch.cat(
            [augment(clips[:half], generator, LIGHT), distort(clips[half:], generator)]
        )
        asked, wanted = choose_questions(ids, labels, generator)
        loss = answer_loss(_answers(model, seen, asked, prefix, mask, positions), wanted)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        running += float(loss.detach()) / 50
        if (step + 1) % 50 == 0:
            log(args.out, "joint", step + 1, start, answer=running)
            running = 0.0
        if (step + 1) % args.evaluate_every == 0 or step + 1 == args.steps:
            shares = evaluate(model, clips=args.validation_clips, seed=args.seed)
            log(args.out, "joint", step + 1, start, **shares)
            save(model, processor, args.out)


def _answers(
    model: VideoLlavaForConditionalGeneration,
    clips: Tensor,
    asked: Tensor,
    prefix: list[int],
    mask: Tensor,
    positions: Tensor,
) -> Tensor:
    """Logits of every token of the questions' blocks."""
    spoken = torch.tensor(prefix[: -model.config.video_seq_length])
    embed = model.get_input_embeddings()
    with torch.autocast("cpu", torch.bfloat16):
        read = model.model.video_tower(normalise(clips).flatten(0, 1)).last_hidden_state
        projected = model.model.multi_modal_projector(read.reshape(len(clips), -1, read.shape[-1]))
        words = embed(spoken).expand(len(clips), -1, -1).to(projected)
        hidden = model.model.language_model(
            inputs_embeds=torch.cat([words, projected, embed(asked).to(projected)], 1),
            attention_mask=mask.expand(len(clips), -1, -1, -1),
            position_ids=positions.expand(len(clips), -1),
            use_cache=False,
        ).last_hidden_state
        logits: Tensor = model.lm_head(hidden[:, len(prefix) - 1 : -1])
    return logits


def main() -> None:
    """Parse arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resume-from", type=Path, required=True, help="folder of an earlier MLLM")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--clips", type=int, default=6000)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=4e-4)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--evaluate-every", type=int, default=250)
    parser.add_argument("--validation-clips", type=int, default=300)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    train(args)


if __name__ == "__main__":
    main()
