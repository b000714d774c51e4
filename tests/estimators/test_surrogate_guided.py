"""A local model that points, and learns from what was paid for."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from blackbox_anon.estimators import (
    SPSA,
    AbstractEstimator,
    AdaptiveAllocation,
    Asked,
    BlackBoxProblem,
    FidelityGuided,
    SurrogateGuided,
)
from blackbox_anon.estimators.functional import misfit
from blackbox_anon.mllms import to_uint8
from blackbox_anon.surrogates import AbstractSurrogate
from tests import properties
from tests.estimators.cases import make_active, with_raw
from tests.estimators.problems import failing, smooth_problem
from tests.estimators.small import SEVEN
from tests.estimators.surrogate import K, Linear
from tests.estimators.test_later import in_parts

LABELS = torch.tensor([0, 2, 1, 0])


def known(
    black_box: AbstractSurrogate, batch: int = 4, logit_scale: float = 1.0
) -> BlackBoxProblem:
    """A black box of three classes that a surrogate of this kind can be equal to."""
    problem = with_raw(smooth_problem(batch, 2, 3, 8, 6))
    labels = LABELS[:batch]

    @torch.no_grad()
    def losses(frames: Tensor) -> Tensor:
        several = labels.repeat(len(frames) // batch)
        scores = logit_scale * black_box(frames)
        return functional.cross_entropy(scores, several, reduction="none")

    asked = Asked(
        prompts=["?"] * batch, classes=list("abc"), labels=labels, logit_scale=logit_scale
    )
    return replace(problem, losses=losses, asked=asked)


def samples_of(
    whole: BlackBoxProblem, black_box: AbstractSurrogate, chosen: Tensor
) -> BlackBoxProblem:
    """Some samples of a batch, posed by themselves."""
    assert whole.asked is not None
    labels = whole.asked.labels[chosen]
    asked = replace(whole.asked, labels=labels, prompts=["?"] * len(chosen))

    def losses(frames: Tensor) -> Tensor:
        several = labels.repeat(len(frames) // len(labels))
        return functional.cross_entropy(black_box(frames), several, reduction="none").detach()

    return replace(
        whole,
        anonymize=lambda theta: whole.anonymize(theta)[chosen],
        losses=losses,
        asked=asked,
    )


def truth(black_box: AbstractSurrogate, problem: BlackBoxProblem) -> Tensor:
    theta = SEVEN.clone().requires_grad_()
    assert problem.asked is not None
    scores = problem.asked.logit_scale * black_box(problem.anonymize(theta))
    (found,) = torch.autograd.grad(functional.cross_entropy(scores, problem.asked.labels), theta)
    return found


def weights_of(guided: SurrogateGuided) -> dict[str, Tensor]:
    """Its state without what it was told last."""
    state = guided.state_dict()
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


class Nothing(AbstractEstimator):
    """Asks twice, and estimates zero."""

    queries_per_sample = 2

    def forward(self, theta, problem):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        estimate = SPSA(0.05)(theta, problem)
        return replace(estimate, gradient=torch.zeros_like(theta))

    def reset(self) -> None: ...


@pytest.mark.parametrize("logit_scale", [1.0, 0.3])
def test_a_surrogate_that_knows_all_gives_the_gradient(logit_scale: float) -> None:
    box = Linear(1)
    problem = known(box, logit_scale=logit_scale)
    guided = SurrogateGuided(Nothing(), Linear(1), lr=0.1)
    estimate = guided(SEVEN, problem)
    torch.testing.assert_close(estimate.gradient, truth(box, problem))
    again = guided(SEVEN, problem)
    assert again.logs["surrogate_misfit"].abs() < 1e-4  # it sees 8 bits, this black box all


def test_its_scores_may_want_another_scale_than_the_tasks() -> None:
    problem = known(Linear(1), logit_scale=100.0)
    own = SurrogateGuided(Nothing(), Linear(1), logit_scale=2.0)(SEVEN, problem)
    wanted = truth(Linear(1), known(Linear(1), logit_scale=2.0))
    torch.testing.assert_close(own.gradient, wanted)


def test_what_is_estimated_is_added() -> None:
    problem = known(Linear(1))
    estimate = SurrogateGuided(make_active(), Linear(2), weight=0.7)(SEVEN, problem)
    alone = make_active()(SEVEN, problem)
    expected = alone.gradient + 0.7 * truth(Linear(2), problem)
    torch.testing.assert_close(estimate.gradient, expected)
    torch.testing.assert_close(estimate.loss, alone.loss, rtol=0, atol=0)
    assert estimate.queries == alone.queries


def test_it_learns_what_it_is_told() -> None:
    """From nothing but losses of the right class it comes to point as the black box does."""
    box, apart = Linear(1), []
    guided = SurrogateGuided(Nothing(), Linear(2), lr=0.05)
    generator = torch.Generator().manual_seed(0)
    for _ in range(600):
        problem, drawn = known(box), torch.randint(K, (4,), generator=generator)
        assert problem.asked is not None
        # other pictures, and other labels, at each step
        shift = 0.6 * torch.rand(4, 1, 3, 1, 1, generator=generator, dtype=torch.float64) - 0.3
        asked = replace(problem.asked, labels=drawn)

        def losses(frames: Tensor, drawn: Tensor = drawn) -> Tensor:
            several = drawn.repeat(len(frames) // 4)
            return functional.cross_entropy(box(frames), several, reduction="none").detach()

        def anonymize(theta: Tensor, shift: Tensor = shift) -> Tensor:
            return smooth_problem(4, 2, 3, 8, 6).anonymize(theta) + shift

        estimate = guided(SEVEN, replace(problem, losses=losses, anonymize=anonymize, asked=asked))
        apart.append(float(estimate.logs["surrogate_misfit"]))
    assert sum(apart[-50:]) < 0.02 * sum(apart[:50])
    wanted = truth(box, known(box))
    before, after = (
        functional.cosine_similarity(truth(one, known(box)), wanted, dim=0)
        for one in (Linear(2), guided.surrogate)
    )
    assert before < 0.5
    assert after > 0.8


def test_without_a_rate_it_stays_as_it_is() -> None:
    guided = SurrogateGuided(make_active(), Linear(2), lr=0.0)
    for _ in range(2):
        guided(SEVEN, known(Linear(1)))
    torch.testing.assert_close(guided.surrogate.state_dict(), Linear(2).state_dict())


def test_a_share_of_the_samples_takes_its_turn() -> None:
    problem, asked = known(Linear(1)), []

    def some(theta: Tensor, chosen: Tensor) -> Tensor:
        asked.append(chosen.tolist())
        return problem.anonymize(theta)[chosen]

    guided = SurrogateGuided(Nothing(), Linear(2), share=0.5)
    for _ in range(3):
        guided(SEVEN, replace(problem, anonymize_some=some))
    assert asked == [[0, 1], [2, 3], [0, 1]]


def test_samples_teach_in_turn() -> None:
    """What every second sample teaches is what a batch of these alone would."""
    problem = known(Linear(1))
    guided = SurrogateGuided(Nothing(), Linear(2), learn_every=2)
    for turn in range(3):
        silenced = [row for row in range(8) if (row + turn) % 2]
        others = SurrogateGuided(Nothing(), Linear(2))
        others.load_state_dict(guided.state_dict())
        one = guided(SEVEN, problem)
        other = others(SEVEN, failing(problem, *silenced))
        torch.testing.assert_close(one.logs["surrogate_misfit"], other.logs["surrogate_misfit"])
        torch.testing.assert_close(guided.state_dict(), others.state_dict())


def test_a_failed_call_tells_nothing() -> None:
    """What is learned is what those that did not fail alone would teach."""
    box, theta = Linear(1), SEVEN
    problem = known(box)
    guided = SurrogateGuided(Nothing(), Linear(2))
    guided(theta, failing(problem, 1, 6))
    estimate = guided(theta, problem)
    told: list[tuple[Tensor, Tensor]] = []

    def losses(frames: Tensor) -> Tensor:
        found = problem.losses(frames)
        told.append((frames, found))
        return found

    SPSA(0.05)(theta, replace(problem, losses=losses))
    frames, found = told[0]
    kept = [0, 2, 3, 4, 5, 7]
    several, sent = LABELS.repeat(2)[kept], to_uint8(frames[kept]).double() / 255
    expected = misfit(Linear(2)(sent), several, found[kept]).mean()
    torch.testing.assert_close(estimate.logs["surrogate_misfit"], expected.detach())
    assert all(value.isfinite().all() for value in properties.tensors_of(estimate).values())


def test_where_nothing_was_answered_nothing_is_learned() -> None:
    problem = known(Linear(1))

    class Silent(Nothing):
        def forward(self, theta, problem):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            found = SPSA(0.05)(theta, replace(problem, losses=known(Linear(1)).losses))
            problem.ask(torch.cat([problem.anonymize(theta)] * 2))
            return found

    none = replace(problem, losses=lambda frames: frames.new_full((len(frames),), torch.nan))
    guided = SurrogateGuided(Silent(), Linear(2))
    guided(SEVEN, none)
    estimate = guided(SEVEN, none)
    torch.testing.assert_close(guided.surrogate.state_dict(), Linear(2).state_dict())
    assert estimate.logs["surrogate_misfit"] == 0


def test_processes_learn_from_all_answers_and_stay_equal() -> None:
    """Two halves of a batch, averaged, teach what the whole one does."""
    box = Linear(1)
    whole = known(box)
    alone = SurrogateGuided(Nothing(), Linear(2), lr=0.01)
    for _ in range(2):
        alone(SEVEN, whole)

    def half(rows: slice) -> BlackBoxProblem:
        return samples_of(whole, box, torch.arange(4)[rows])

    kept: list[list[Tensor]] = [[], []]
    for rank, rows in enumerate([slice(0, 2), slice(2, 4)]):
        sent = kept[rank]

        def send(values: Tensor, sent: list[Tensor] = sent) -> Tensor:
            sent.append(values)
            return values

        guided = SurrogateGuided(Nothing(), Linear(2))
        for _ in range(2):
            guided(SEVEN, replace(half(rows), mean_over_ranks=send))
    means = [(one + other) / 2 for one, other in zip(*kept, strict=True)]
    ranks = []
    for rows in (slice(0, 2), slice(2, 4)):
        answers = iter(means)
        ours = SurrogateGuided(Nothing(), Linear(2), lr=0.01)

        def averaged(_: Tensor, answers: Iterator[Tensor] = answers) -> Tensor:
            return next(answers)

        for _ in range(2):
            ours(SEVEN, replace(half(rows), mean_over_ranks=averaged))
        ranks.append(weights_of(ours))
    torch.testing.assert_close(ranks[0], ranks[1], rtol=0, atol=0)
    torch.testing.assert_close(ranks[0], weights_of(alone))
    assert not torch.equal(ranks[0]["surrogate.scores.weight"], Linear(2).scores.weight)


def sliced(problem: BlackBoxProblem, sizes: list[int], beside: bool) -> BlackBoxProblem:
    """In parts, each with its own labels."""
    whole = in_parts(problem, sizes, beside)
    assert whole.parts is not None
    assert problem.asked is not None
    asked, labels = problem.asked, problem.asked.labels.split(sizes)

    def parts() -> list[BlackBoxProblem]:
        assert whole.parts is not None
        return [
            replace(part, asked=replace(asked, labels=own, prompts=["?"] * len(own)))
            for part, own in zip(whole.parts(), labels, strict=True)
        ]

    return replace(whole, parts=parts)


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("sizes", [[4], [1, 3], [2, 1, 1]])
@pytest.mark.parametrize(
    "make", [make_active, lambda: FidelityGuided(make_active())], ids=["active", "fidelity"]
)
def test_parts_teach_what_the_whole_teaches(
    make: Callable[[], AbstractEstimator], sizes: list[int], beside: bool, every: int
) -> None:
    problem = known(Linear(1))
    ours = SurrogateGuided(make(), Linear(2), learn_every=every)
    theirs = copy.deepcopy(ours)
    for _ in range(3):
        one = ours(SEVEN, sliced(problem, sizes, beside))
        other = theirs(SEVEN, problem)
        torch.testing.assert_close(one.gradient, other.gradient)
        torch.testing.assert_close(one.logs, other.logs)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


def test_a_part_of_a_batch_teaches_too() -> None:
    problem = replace(known(Linear(1)), names=list("abcd"))

    def subset(chosen: Tensor) -> BlackBoxProblem:
        return samples_of(problem, Linear(1), chosen)

    guided = SurrogateGuided(AdaptiveAllocation(SPSA(0.05), share=0.5, memory=64), Linear(2))
    guided(SEVEN, replace(problem, subset=subset))
    estimate = guided(SEVEN, replace(problem, subset=subset))
    assert estimate.queries < 8
    assert estimate.logs["surrogate_misfit"] > 0


def test_a_run_goes_on_from_its_state() -> None:
    problem = known(Linear(1))
    whole = SurrogateGuided(make_active(), Linear(2))
    for _ in range(2):
        whole(SEVEN, problem)
    again = SurrogateGuided(make_active(), Linear(3))
    again.load_state_dict(whole.state_dict())
    for _ in range(2):
        one, other = whole(SEVEN, problem), again(SEVEN, problem)
        torch.testing.assert_close(one.gradient, other.gradient, rtol=0, atol=0)
    torch.testing.assert_close(whole.state_dict(), again.state_dict(), rtol=0, atol=0)


def test_reset_forgets_what_was_learned() -> None:
    guided = SurrogateGuided(make_active(), Linear(2))
    before = copy.deepcopy(guided.state_dict())
    for _ in range(2):
        guided(SEVEN, known(Linear(1)))
    assert not torch.equal(
        guided.state_dict()["surrogate.scores.weight"], before["surrogate.scores.weight"]
    )
    guided.reset()
    torch.testing.assert_close(guided.state_dict(), before)


def test_a_surrogate_is_never_in_training_mode() -> None:
    guided = SurrogateGuided(Nothing(), Linear(2)).train()
    assert guided.training
    assert not any(part.training for part in guided.surrogate.modules())


def test_nothing_of_it_is_trained_by_others() -> None:
    assert not any(p.requires_grad for p in SurrogateGuided(Nothing(), Linear(2)).parameters())


def test_the_misfit_is_a_divergence() -> None:
    """Against torch's own of two classes, right and wrong."""
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(50, 5, generator=generator, dtype=torch.float64)
    labels = torch.randint(5, (50,), generator=generator)
    losses = torch.rand(50, generator=generator, dtype=torch.float64) * 6
    own = logits.softmax(1)[torch.arange(50), labels]
    told = torch.exp(-losses)
    expected = functional.kl_div(
        torch.stack([own, 1 - own], 1).log(), torch.stack([told, 1 - told], 1), reduction="none"
    ).sum(1)
    torch.testing.assert_close(misfit(logits, labels, losses), expected)


def test_a_loss_of_nothing_has_a_finite_slope() -> None:
    logits = torch.tensor([[40.0, 0.0], [-40.0, 0.0]], requires_grad=True)
    found = misfit(logits, torch.tensor([0, 0]), torch.tensor([0.0, 30.0]))
    (slope,) = torch.autograd.grad(found.sum(), logits)
    assert found.isfinite().all()
    assert slope.isfinite().all()


@pytest.mark.parametrize(
    "chosen",
    [{"weight": -1.0}, {"lr": -0.1}, {"share": 0.0}, {"learn_every": 0}, {"logit_scale": 0.0}],
)
def test_arguments_are_checked(chosen: dict[str, float]) -> None:
    (name,) = chosen
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        SurrogateGuided(make_active(), Linear(), **chosen)  # type: ignore[arg-type]


def test_classes_are_needed() -> None:
    guided = SurrogateGuided(make_active(), Linear())
    with pytest.raises(ValueError, match=r"`problem\.asked` must say which classes"):
        guided(SEVEN, with_raw(smooth_problem(4, 2, 3, 8, 6)))


def test_other_classes_are_refused() -> None:
    problem = known(Linear(1))
    assert problem.asked is not None
    more = replace(problem, asked=replace(problem.asked, classes=list("abcd")))
    with pytest.raises(ValueError, match=r"`surrogate` must know the 4 classes .* found one of 3"):
        SurrogateGuided(make_active(), Linear())(SEVEN, more)
