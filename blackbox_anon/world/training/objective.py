"""What the embedded MLLM is trained to say, and how far off it is."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset

from blackbox_anon.world.people import PeopleWorld
from blackbox_anon.world.training.architecture import build_processor
from blackbox_anon.world.training.sequences import IGNORED, block_tokens

BLOCK = 12  # tokens of a question with its answer, padded
ASKED = 8  # questions per clip and step
LATER_WEIGHT = 0.1  # of answer tokens after the first


class PackedClips(Dataset[tuple[Tensor, Tensor, Tensor, Tensor]]):
    """Clips with packed text and the labels of the auxiliary heads.

    A sample is uint8 frames ``(T, 3, H, W)``, token ids and labels ``(questions * BLOCK,)``, and
    ``(1 + A,)``: the action's index, then the attributes.
    """

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


class AuxiliaryHeads(nn.Module):
    """Linear read-outs of the projected vision tokens; they speed training up and are dropped.

    Args:
        width: Channels of a token.
        frames: Frames of a clip.
        actions: Number of actions.
        attributes: Number of attributes.
    """

    def __init__(self, width: int, frames: int, actions: int, attributes: int) -> None:
        super().__init__()
        self.frames = frames
        self.action = nn.Sequential(
            nn.Linear(width * frames, 256), nn.GELU(), nn.Linear(256, actions)
        )
        self.attributes = nn.Linear(width, attributes)

    def forward(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Return the summed loss; attributes of the first half, the lightly augmented one."""
        pooled = tokens.view(len(targets), self.frames, -1, tokens.shape[-1]).mean(2)
        action = functional.cross_entropy(self.action(pooled.flatten(1)), targets[:, 0])
        seen = len(targets) // 2
        attributes = functional.binary_cross_entropy_with_logits(
            self.attributes(pooled.mean(1))[:seen], targets[:seen, 1:].float()
        )
        return action + attributes


def warm_cosine(step: int, steps: int, warmup: int = 150) -> float:
    """Return the learning rate's factor: linear warm-up, then a cosine down to 0.02."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def answer_loss(logits: Tensor, labels: Tensor) -> Tensor:
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


def choose_questions(
    ids: Tensor, labels: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Keep the action question and :data:`ASKED` - 1 others, the same ones for the batch.

    The second half of the batch is strongly augmented: its colours are gone, so that only its
    action can be told and its other labels are ignored.
    """
    blocks = ids.shape[1] // BLOCK
    others = 1 + torch.randperm(blocks - 1, generator=generator)[: ASKED - 1]
    kept = torch.cat([torch.zeros(1, dtype=torch.int64), others])
    ids, labels = (t.view(len(t), blocks, BLOCK)[:, kept].flatten(1) for t in (ids, labels))
    labels[len(labels) // 2 :, BLOCK:] = IGNORED
    return ids, labels
