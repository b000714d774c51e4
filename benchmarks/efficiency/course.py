"""What every contender runs on: one start, one objective, clips of its seed."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from blackbox_anon.anonymizers import UNetAnonymizer
from blackbox_anon.estimators import Asked, BlackBoxProblem
from blackbox_anon.mllms import HuggingFaceMLLM
from blackbox_anon.reviewers import AttributeReviewer
from blackbox_anon.scalarizations.functional import weighted_distances, weighted_sum
from blackbox_anon.scorers import LogprobScorer
from blackbox_anon.tasks import parameters as flat
from blackbox_anon.world import PeopleWorld

PROMPT = "What is the person doing?"
HELD_OUT_SEED, START_SEED = 90001, 90002  # worlds that no contender trains on
_CHECK_EVERY = 5  # steps between looks at the loss on the way to the start


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What decides a run, beside contender, learning rate and seed.

    Attributes:
        train_clips: Clips of a seed's training set; calls are counted per one of them.
        batch_size: Clips per step.
        held_out: Clips that the objective is evaluated on.
        start_loss: L_MLLM at which the start is reached, in nats; chance is 2.3.
        start_steps: Most steps of privacy alone on the way there.
        start_step: Length of one of them, in parameter units.
        step_decay: Exponent of the step size's power law, as in the task.
        weights: Weights of utility and privacy in L_AT.
        ideal: The fixed ideal point.
        augmentation: ``sigma`` of L_AT.
        encoder: As in ``demo.yaml``.
        depth: The same.
        width: The same.
    """

    train_clips: int = 64
    batch_size: int = 8
    held_out: int = 32
    start_loss: float = 1.5
    start_steps: int = 200
    start_step: float = 0.3
    step_decay: float = 0.4
    weights: tuple[float, float] = (0.5, 0.5)
    ideal: tuple[float, float] = (0.0, 0.0)
    augmentation: float = 1e-4
    encoder: str = "tu-tf_mobilenetv3_small_minimal_100"
    depth: int = 3
    width: int = 16

    def plain(self) -> dict[str, object]:
        """Return the settings as JSON would bring them back."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


@dataclass(frozen=True, kw_only=True)
class Clips:
    """Clips with their labels and, computed once, their encoder features."""

    frames: Tensor
    labels: Tensor
    attributes: Tensor
    names: list[str]
    features: list[Tensor]

    def take(self, chosen: Tensor) -> "Clips":
        """Return the chosen clips."""
        frames_per_clip = self.frames.shape[1]
        return Clips(
            frames=self.frames[chosen],
            labels=self.labels[chosen],
            attributes=self.attributes[chosen],
            names=[self.names[int(i)] for i in chosen],
            features=[
                level.unflatten(0, (-1, frames_per_clip))[chosen].flatten(0, 1)
                for level in self.features
            ],
        )


class Course:
    """The embedded world with a fixed objective.

    The start is an anonymizer that gave up utility: steps of privacy alone, against a reviewer that
    learns along, until L_MLLM is ``start_loss``. From there the reviewer is frozen, so that L_AT is
    one function of the parameters, the same for every contender. Winning back the answers is where
    the black box's gradient decides; from a reconstructing anonymizer, a start is easy for all.

    Args:
        settings: See there.
        cache: File that keeps the start, made if it is not there.
    """

    def __init__(self, settings: Settings, cache: Path) -> None:
        self.settings = settings
        self.mllm = HuggingFaceMLLM(
            "peopleworld", dtype="float32", max_new_tokens=1, batch_size=32, device="cpu"
        )
        self.anonymizer = UNetAnonymizer(
            settings.encoder, depth=settings.depth, width=settings.width, weights="peopleworld"
        ).eval()
        self.reviewer = AttributeReviewer("test_resnet", weights="peopleworld").eval()
        self.classes, self.scorer = list(PeopleWorld.classes), LogprobScorer()
        self.held_out = self.clips("test", settings.held_out, HELD_OUT_SEED)
        self.start = self._start(cache)
        self.reviewer.requires_grad_(False).eval()

    @torch.no_grad()
    def clips(self, split: str, count: int, world_seed: int) -> Clips:
        """Draw a set of clips and encode them."""
        world = PeopleWorld(split, length=count, seed=world_seed)
        frames = torch.stack([world.frames(i) for i in range(count)]).float() / 255
        scenes = [world.scene(i) for i in range(count)]
        return Clips(
            frames=frames,
            labels=torch.tensor([scene.action for scene in scenes]),
            attributes=torch.tensor([scene.attributes for scene in scenes]).float(),
            names=[f"{world_seed}/{split}/{i}" for i in range(count)],
            features=[level.float() for level in self.anonymizer.features(frames)],
        )

    def batches(self, clips: Clips, seed: int) -> Iterator[Clips]:
        """Shuffle and batch, epoch after epoch, without end."""
        generator = torch.Generator().manual_seed(seed)
        size = self.settings.batch_size
        while True:
            order = torch.randperm(len(clips.names), generator=generator)
            for start in range(0, len(order) - size + 1, size):
                yield clips.take(order[start : start + size])

    def problem(self, clips: Clips) -> BlackBoxProblem:
        """Pose a batch to an estimator, as the task does."""
        prompts = [PROMPT] * len(clips.names)

        def losses(frames: Tensor) -> Tensor:
            times = len(frames) // len(prompts)
            answers = self.mllm.query(self.anonymizer.release(frames), prompts * times)
            scores = self.scorer.scores(answers, self.classes)  # type: ignore[arg-type]  # local: no failures
            return functional.cross_entropy(scores, clips.labels.repeat(times), reduction="none")

        return BlackBoxProblem(
            anonymize=lambda theta: self.anonymize(clips, theta),
            losses=losses,
            anonymize_each=lambda thetas: self.anonymize_each(clips, thetas),
            anonymize_some=lambda theta, chosen: self.anonymize(clips.take(chosen), theta),
            asked=Asked(prompts=prompts, classes=self.classes, labels=clips.labels),
            raw=clips.frames,
            names=clips.names,
            subset=lambda chosen: self.problem(clips.take(chosen)),
        )

    def anonymize(self, clips: Clips, theta: Tensor) -> Tensor:
        """Anonymize with other parameters; differentiable in them."""
        decode = flat.call_with(self.anonymizer.trained, theta)
        return self.anonymizer.decode(clips.features, clips.frames, decode)

    def anonymize_each(self, clips: Clips, thetas: Tensor) -> Tensor:
        """Anonymize each clip with parameters of its own."""
        single = torch.arange(len(thetas)).split(1)
        parts = zip(single, thetas, strict=True)
        return torch.cat([self.anonymize(clips.take(one), theta) for one, theta in parts])

    def privacy(self, clips: Clips, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return L_privacy of a batch's first and middle frames, and its exact gradient."""
        parameters = theta.detach().clone().requires_grad_()
        loss = self.reviewer.privacy_loss(_stills(self.anonymize(clips, parameters)))
        (gradient,) = torch.autograd.grad(loss, parameters)
        return loss.detach(), gradient

    @torch.no_grad()
    def evaluate(self, theta: Tensor) -> tuple[float, float, float]:
        """Return L_AT, L_MLLM and L_privacy on the held-out clips."""
        problem = self.problem(self.held_out)
        anonymized = problem.anonymize(theta)
        utility = problem.losses(anonymized).mean()
        privacy = self.reviewer.privacy_loss(_stills(anonymized))
        values = torch.stack([utility, privacy])
        return float(self.objective(values)), float(utility), float(privacy)

    def distances(self, values: Tensor) -> Tensor:
        """Weighted distances of (utility, privacy) to the ideal point, shape ``(2,)``."""
        ideal, weights = values.new_tensor(self.settings.ideal), self.weights(values)
        return weighted_distances(values, ideal, weights, 0.0)

    def objective(self, values: Tensor) -> Tensor:
        """L_AT of Eq. 6 with the fixed ideal point."""
        total = weighted_sum(self.weights(values), values)
        return self.distances(values).amax() + self.settings.augmentation * total

    def weights(self, like: Tensor) -> Tensor:
        """Weights of utility and privacy as a tensor like another."""
        return like.new_tensor(self.settings.weights)

    def _start(self, cache: Path) -> Tensor:
        if not cache.is_file():
            theta = self._give_up_utility()
            cache.parent.mkdir(parents=True, exist_ok=True)
            partial = cache.with_suffix(".partial")
            torch.save({"theta": theta, "reviewer": self.reviewer.state_dict()}, partial)
            partial.replace(cache)
        kept = torch.load(cache, weights_only=True)
        self.reviewer.load_state_dict(kept["reviewer"])
        theta = kept["theta"]
        assert isinstance(theta, Tensor)
        return theta

    def _give_up_utility(self) -> Tensor:
        theta = flat.flatten(flat.trained_parameters(self.anonymizer.trained))
        clips = self.clips("train", self.settings.train_clips, START_SEED)
        optimizer = torch.optim.Adam(self.reviewer.parameters(), lr=1e-3)
        batches = self.batches(clips, seed=0)
        for step in range(self.settings.start_steps):
            if step % _CHECK_EVERY == 0 and self.evaluate(theta)[1] >= self.settings.start_loss:
                break
            batch = next(batches)
            optimizer.zero_grad()
            stills = _stills(self.anonymize(batch, theta))
            self.reviewer.loss(stills, batch.attributes.repeat(2, 1)).backward()
            optimizer.step()
            _, gradient = self.privacy(batch, theta)
            theta = theta - self.settings.start_step * gradient / gradient.norm()
        return theta


def _stills(clips: Tensor) -> Tensor:
    """First and middle frame of each clip, shape ``(2 * B, 3, H, W)``."""
    return torch.cat([clips[:, 0], clips[:, clips.shape[1] // 2]])
