"""The official VQA score written from its description, answer by answer, for comparison."""

import re
from collections.abc import Callable, Sequence

DROPPED = [";", "/", "[", "]", '"', "{", "}", "(", ")", "=", "+", "\\", "_", "-", ">", "<", "@"]
DROPPED += ["`", ",", "?", "!"]
DIGITS = {
    "none": "0",
    "zero": "0",
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "ten": "10",
}
APOSTROPHES = {  # a sample of the table
    "dont": "don't",
    "isnt": "isn't",
    "oclock": "o'clock",
    "couldnt've": "couldn't've",
    "couldn'tve": "couldn't've",
    "yall": "y'all",
    "y'all'dve": "y'all'd've",
    "ow's'at": "'ow's'at",
    "somebody'd": "somebodyd",
    "twas": "'twas",
    "shed've": "she'd've",
    "hes": "he's",
}


def without_punctuation(text: str) -> str:
    comma_in_number = bool(re.search("[0-9],[0-9]", text))
    found = text
    for mark in DROPPED:
        if comma_in_number or mark + " " in text or " " + mark in text:
            found = "".join(letter for letter in found if letter != mark)
        else:
            found = "".join(" " if letter == mark else letter for letter in found)
    kept, removed = [], 0
    for position, letter in enumerate(found):
        following = found[position + 1 : position + 2]
        if letter == "." and not following.isdecimal() and removed < 32:
            removed += 1
        else:
            kept.append(letter)
    return "".join(kept)


def rewritten(text: str) -> str:
    words = []
    for word in without_punctuation(re.sub("[\n\t]", " ", text).strip()).lower().split():
        number = DIGITS.get(word, word)
        if number not in ("a", "an", "the"):
            words.append(APOSTROPHES.get(number, number))
    return " ".join(words)


def ten_fold(prediction: str, answers: Sequence[str]) -> float:
    total = 0.0
    for left_out in range(len(answers)):
        others = [answer for i, answer in enumerate(answers) if i != left_out]
        total += min(1.0, sum(answer == prediction for answer in others) / 3)
    return total / len(answers)


def official(prediction: str, answers: Sequence[str]) -> float:
    if len(set(answers)) > 1:
        answers = [without_punctuation(answer) for answer in answers]
    return ten_fold(rewritten(prediction), answers)


def official_2021(prediction: str, answers: Sequence[str]) -> float:
    lines = [re.sub("[\n\t]", " ", answer).strip() for answer in answers]
    if len(set(lines)) > 1:
        return ten_fold(rewritten(prediction), [rewritten(line) for line in lines])
    return ten_fold(re.sub("[\n\t]", " ", prediction).strip(), lines)


def both_sides(prediction: str, answers: Sequence[str]) -> float:
    return ten_fold(rewritten(prediction), [rewritten(answer) for answer in answers])


SCORERS: dict[str, Callable[[str, Sequence[str]], float]] = {
    "official": official,
    "official_2021": official_2021,
    "both_sides": both_sides,
}
