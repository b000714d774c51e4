"""Third stage of the embedded MLLM: vision tower and language model together.

``python -m blackbox_anon.world.training.mllm --resume-from DIR --out DIR``.
"""

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import VideoLlavaForConditionalGeneration

from blackbox_anon.world.people import PeopleWorld
from blackbox_anon.world.training.architecture import build_processor, normalise
from blackbox_anon.world.training.augmentation import augment
from blackbox_anon.world.training.objective import (
    ASKED,
    BLOCK,
    AuxiliaryHeads,
    PackedClips,
    answer_loss,
    choose_questions,
    warm_cosine,
)
from blackbox_anon.world.training.records import evaluate, log, save
from blackbox_anon.world.training.sequences import packed_mask, packed_positions, prefix_tokens

LIGHT, STRONG = 0.05, 0.4  # share of each strong change in the two halves of a batch


def train(args: argparse.Namespace) -> None:
    """Train, log every 50 steps, save after every evaluation."""
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    processor = build_processor()
    model = VideoLlavaForConditionalGeneration.from_pretrained(args.resume_from, dtype="float32")
    model.train()
    model.model.video_tower.eval()  # its statistics are those of the first stage
    world = PeopleWorld("train", length=args.clips, seed=args.seed)
    order = torch.Generator().manual_seed(args.order_seed)
    loader = DataLoader(
        PackedClips(world), args.batch_size, shuffle=True, drop_last=True, num_workers=args.workers,
        generator=order, persistent_workers=args.workers > 0,
    )  # fmt: skip
    head = AuxiliaryHeads(model.config.text_config.hidden_size, 8, 10, 7)
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
                group["lr"] = args.lr * warm_cosine(step, args.steps)
            ids, labels = choose_questions(ids, labels, generator)
            size = len(ids)
            light, strong = (frames.float() / 255).split(size // 2)
            clips = torch.cat(
                [augment(light, generator, share=LIGHT), augment(strong, generator, share=STRONG)]
            )
            clips = normalise(clips)
            captured.clear()
            output = model(
                input_ids=torch.cat([prefix.expand(size, -1), ids], 1),
                pixel_values_videos=clips,
                attention_mask=mask.expand(size, -1, -1, -1),
                position_ids=positions.expand(size, -1),
                logits_to_keep=ids.shape[1] + 1,
            )
            answer = answer_loss(output.logits[:, :-1], labels)
            auxiliary = head(captured[0], targets)
            optimizer.zero_grad()
            (answer + args.auxiliary * auxiliary).backward()
            nn.utils.clip_grad_norm_(params, 1.0)
            optimizer.step()
            step += 1
            running[0] += float(answer.detach()) / 50
            running[1] += float(auxiliary.detach()) / 50
            if step % 50 == 0:
                losses = {"answer": running[0], "auxiliary": running[1]}
                log(args.out, "joint", step, start, **losses)
                running = [0.0, 0.0]
            if step % args.evaluate_every == 0 or step == args.steps:
                found = evaluate(model, clips=args.validation_clips, seed=args.seed)
                log(args.out, "joint", step, start, **found)
                save(model, processor, args.out)
            if step == args.steps:
                break


def main() -> None:
    """Parse arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resume-from", type=Path, required=True, help="folder of stage two")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--order-seed", type=int, default=0)
    parser.add_argument("--clips", type=int, default=40000)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--auxiliary", type=float, default=0.5)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--evaluate-every", type=int, default=500)
    parser.add_argument("--validation-clips", type=int, default=300)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    train(args)


if __name__ == "__main__":
    main()
