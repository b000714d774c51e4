"""What training was worth: the demo's own measure of utility, of exported weights."""

import math
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from blackbox_anon.anonymizers import UNetAnonymizer
from blackbox_anon.demo.command import TEST_CLIPS, WORLD_OFFSET
from blackbox_anon.evaluation import ClipSet, Question, anonymize_clips, ask, draw_clips
from blackbox_anon.exported import read_card
from blackbox_anon.metrics.functional import wilson_interval
from blackbox_anon.mllms import AbstractMLLM, HuggingFaceMLLM
from blackbox_anon.scorers import LogprobScorer
from blackbox_anon.world import PeopleWorld

PROMPT = "What is the person doing?"  # demo.yaml's


@dataclass(frozen=True, kw_only=True, eq=False)
class Top1:
    """Which test clips the MLLM names rightly once they are anonymized.

    Attributes:
        right: Of each clip, bool ``(N,)``.
    """

    right: Tensor

    @property
    def value(self) -> float:
        """The share of them."""
        return float(self.right.double().mean())

    @property
    def ci95(self) -> tuple[float, float]:
        """Its 95 % interval, as ``results.json`` has it."""
        return wilson_interval(int(self.right.sum()), len(self.right))

    def gain_over(self, other: "Top1") -> tuple[float, float]:
        """Return the difference to another on the same clips, and half its 95 % interval.

        Example:
            >>> one, two = Top1(right=torch.ones(4) > 0), Top1(right=torch.tensor([1, 1, 1, 0]) > 0)
            >>> one.gain_over(two)
            (0.25, 0.49)
        """
        gains = self.right.double() - other.right.double()
        return float(gains.mean()), round(1.96 * float(gains.std()) / math.sqrt(len(gains)), 4)


class DemoUtility:
    """The demo's test clips and its local MLLM.

    Args:
        clips: How many clips.
        seed: Of the demo whose clips they are.
    """

    def __init__(self, clips: int = TEST_CLIPS, seed: int = 0) -> None:
        self.clips: ClipSet = draw_clips(
            PeopleWorld("test", length=clips, seed=WORLD_OFFSET + seed)
        )
        self.mllm: AbstractMLLM = HuggingFaceMLLM(
            "peopleworld", dtype="float32", max_new_tokens=2, batch_size=32
        )
        self.question = Question(prompt=PROMPT, classes=PeopleWorld.classes, scorer=LogprobScorer())

    def top1(self, exported: Path) -> Top1:
        """Measure an anonymizer that ``fit`` or ``export`` wrote."""
        arguments = read_card(exported)["init_args"]
        anonymizer = UNetAnonymizer(**arguments, weights=str(exported)).eval()
        seen = anonymize_clips(anonymizer, self.clips)
        asked = ask(self.mllm, self.question, seen, anonymizer)
        return Top1(right=asked.predicted == self.clips.labels)
