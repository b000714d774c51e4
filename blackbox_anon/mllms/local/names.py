"""Tokens of the answers that a model can choose from."""

from collections.abc import Sequence
from typing import Any

from blackbox_anon.errors import MLLMError


def choice_tokens(tokenizer: Any, answer_start: str, choices: Sequence[str]) -> list[list[int]]:  # noqa: ANN401  (untyped library)
    """Tokens of each choice as they stand after the prompt.

    A space goes between prompt and choice where the prompt does not end in white space: tokens
    begin with it in most vocabularies, so a choice alone would get others.

    Args:
        tokenizer: The model's.
        answer_start: The end of the prompt, from the question on.
        choices: Texts.

    Returns:
        As many lists of token ids, none empty.

    Raises:
        MLLMError: If a choice has no tokens of its own there.
    """
    before = answer_start or "?"
    joint = before if before[-1].isspace() else before + " "
    start = _ids(tokenizer, before)
    return [_rest(start, _ids(tokenizer, joint + choice), choice) for choice in choices]


def _ids(tokenizer: Any, text: str) -> list[int]:  # noqa: ANN401  (untyped library)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _rest(start: list[int], tokens: list[int], choice: str) -> list[int]:
    rest = tokens[len(start) :]
    if not rest or tokens[: len(start)] != start:
        msg = f"`choices` must be texts with tokens of their own after the prompt; found {choice!r}"
        raise MLLMError(msg)
    return rest
