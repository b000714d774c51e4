"""Random inputs for every metric, one per number."""

import random
from collections.abc import Sequence

import torch
from torch import Tensor

WORDS = "dog surf ice cream 3 2,000 3.5 none two ten The a an dont isnt oclock couldnt've yall"
WORDS += (
    " y'all'dve ow's'at somebody'd twas shed've hes it's pony-tail 7:30 dr. u.s.a {x} \u00e9t\u00e9"
)
GLUE = [" ", " ", " ", "-", ", ", ",", ".", ". ", "/", "  ", "\t", "\n", "! ", " (", "?"]


def random_text(source: random.Random, words: Sequence[str], most: int = 3) -> str:
    text = source.choice(words)
    for _ in range(source.randrange(most)):
        text += source.choice(GLUE) + source.choice(words)
    return text + source.choice(["", "", "", ".", " ", "...", "\n", "?", "." * 40])


def random_question(case: int) -> tuple[str, list[str]]:
    """A prediction and ten answers of a small vocabulary, so that they often agree."""
    source = random.Random(case)
    words = source.sample(WORDS.split(), 4)
    texts = [random_text(source, words, most=2) for _ in range(source.randint(1, 4))]
    if case % 3 == 0:  # OK-VQA: five annotators, each answer twice
        answers = [text for text in source.choices(texts, k=5) for _ in range(2)]
    else:
        answers = source.choices(texts, k=10)
    said = source.choice([*texts, random_text(source, words)])
    return source.choice([said, said.capitalize(), f" The {said}. "]), answers


def random_scores(case: int) -> tuple[Tensor, Tensor]:
    """Class scores with many ties, and labels."""
    generator = torch.Generator().manual_seed(case)
    samples, classes = (int(torch.randint(1, n, (), generator=generator)) for n in (40, 12))
    scores = torch.rand(samples, classes, generator=generator)
    if case % 2:
        scores = (scores * 3).round() / 3
    return scores, torch.randint(classes, (samples,), generator=generator)
