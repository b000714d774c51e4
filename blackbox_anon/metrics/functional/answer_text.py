"""How the official VQA evaluation rewrites an answer before it compares."""

import re

PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
"""Marks that are removed or replaced; neither the apostrophe nor the colon is among them."""

MAX_PERIODS = 32
"""The official script passes a flag where the number of replacements belongs: 32."""

_TEN = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NUMBERS = {word: str(value) for value, word in enumerate(_TEN, start=1)}
NUMBERS |= {"zero": "0", "none": "0"}

ARTICLES = frozenset({"a", "an", "the"})

_CONTRACTED = """
'ow's'at 'twas ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't
hadn't've hasn't haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am
might've mightn't mightn't've must've mustn't needn't not've o'clock oughtn't shan't she'd've
should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've
someone'll someone's something'd something'd've something'll that's there'd there'd've there're
there's they'd they'd've they'll they're they've wasn't we'd've we've weren't what'll what're
what's what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're
why's won't would've wouldn't wouldn't've y'all y'all'd've y'all'll you'd you'd've you'll you're
you've
""".split()  # noqa: SIM905  (a list of strings would take 100 lines)


def _misspelt(word: str) -> list[str]:
    """List the spellings that lack one apostrophe."""
    return [word[:at] + word[at + 1 :] for at, letter in enumerate(word) if letter == "'"]


# Words that are others without their apostrophe (he'll, we're, its) were never in the list.
CONTRACTIONS = {wrong: word for word in _CONTRACTED for wrong in _misspelt(word)}
CONTRACTIONS["somebody'd"] = "somebodyd"  # the official list has this one the wrong way round


def punctuation_step(text: str) -> str:
    """Remove or replace punctuation.

    A mark is removed everywhere if it stands next to a space anywhere, or if the text has a comma
    between digits; else it becomes a space. Then periods go that no digit follows.

    Example:
        >>> punctuation_step("ice-cream, 3.5 oz.")
        'ice cream 3.5 oz'
    """
    remove_all = re.search(r"\d,\d", text) is not None
    result = text
    for mark in PUNCTUATION:
        beside_space = f"{mark} " in text or f" {mark}" in text
        result = result.replace(mark, "" if beside_space or remove_all else " ")
    return re.sub(r"\.(?!\d)", "", result, count=MAX_PERIODS)


def word_step(text: str) -> str:
    """Lower the case, write numbers up to ten as digits, drop articles, restore apostrophes.

    Example:
        >>> word_step("The two dogs dont  bark")
        "2 dogs don't bark"
    """
    words = [NUMBERS.get(word, word) for word in text.lower().split()]
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)


def single_line(text: str) -> str:
    """Replace line breaks and tabs by spaces and strip the ends."""
    return text.replace("\n", " ").replace("\t", " ").strip()


def normalize_answer(text: str) -> str:
    """Do all that the official evaluation does to a predicted answer.

    Example:
        >>> normalize_answer("A pony-tail.")
        'pony tail'
    """
    return word_step(punctuation_step(single_line(text)))
