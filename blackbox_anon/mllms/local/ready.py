"""A loaded model with what is worth computing once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from blackbox_anon.mllms.local.inputs import ModelInputs
from blackbox_anon.mllms.local.names import choice_tokens


@dataclass
class ReadyModel:
    """A model that is ready to be asked.

    Attributes:
        model: In evaluation mode, with greedy generation settings.
        inputs: Makes its inputs; hold ``tokenizing`` while it does.
        tokenizing: A tokenizer serves one thread at a time: a second one raises "Already borrowed".
    """

    model: Any
    inputs: ModelInputs
    tokenizing: RLock = field(default_factory=RLock)
    _token_texts: dict[int, str] = field(default_factory=dict)
    _names: dict[tuple[str, ...], list[list[int]]] = field(default_factory=dict)

    @property
    def tokenizer(self) -> Any:  # noqa: ANN401  (untyped library)
        """The processor's tokenizer."""
        return self.inputs.processor.tokenizer

    @property
    def end(self) -> int:
        """The first of the tokens that end an answer."""
        return int(self.model.generation_config.pad_token_id)

    def token_text(self, token: int) -> str:
        """The text of one token, without surrounding space."""
        if token not in self._token_texts:
            with self.tokenizing:
                self._token_texts[token] = self.tokenizer.decode([token]).strip()
        return self._token_texts[token]

    def names(self, answer_start: str, choices: Sequence[str]) -> list[list[int]]:
        """The tokens of choices; one set of choices is asked many times."""
        key = (answer_start, *choices)
        with self.tokenizing:
            if key not in self._names:
                self._names = {key: choice_tokens(self.tokenizer, answer_start, choices)}
            return self._names[key]
