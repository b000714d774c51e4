"""Texts to vectors, for scorers that compare texts."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any
from zlib import crc32

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.errors import WeightsNotFoundError


class AbstractTextEncoder(ABC):
    """Embeds texts; nothing is trained and nothing carries gradients."""

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> Tensor:
        """Embed texts.

        Args:
            texts: ``n`` texts, of any length, also empty.

        Returns:
            Embeddings, shape ``(n, D)``, float32.
        """


class CharacterNGramEncoder(AbstractTextEncoder):
    """Counts of the 2 to 4 letter pieces of a lower-cased text, with no weights to download.

    Pieces are hashed to a fixed number of places with CRC-32, so a text has the same vector on
    every machine. Vectors have unit length; that of a text without pieces is zero.

    Args:
        dimension: Length ``D`` of a vector; more places, fewer coincidences.

    Raises:
        ValueError: If ``dimension`` is not positive.

    Example:
        >>> walk, walking, swim = CharacterNGramEncoder().encode(["Walk", "walking", "swim"])
        >>> bool(walk @ walking > walk @ swim)
        True
    """

    def __init__(self, dimension: int = 2048) -> None:
        if dimension < 1:
            msg = f"`dimension` must be positive; found {dimension}"
            raise ValueError(msg)
        self.dimension = dimension

    @override
    def encode(self, texts: Sequence[str]) -> Tensor:
        counts = torch.zeros(len(texts), self.dimension)
        for row, text in zip(counts, texts, strict=True):
            places = [crc32(piece.encode()) % self.dimension for piece in _pieces(text)]
            row += torch.bincount(torch.tensor(places, dtype=torch.long), minlength=self.dimension)
        return torch.nn.functional.normalize(counts, dim=-1)


def _pieces(text: str) -> Iterator[str]:
    words = text.lower().split()
    padded = f" {' '.join(words)} " if words else ""  # edges tell whole words from parts
    for size in (2, 3, 4):
        for start in range(len(padded) - size + 1):
            yield padded[start : start + size]


class OpenCLIPTextEncoder(AbstractTextEncoder):
    """The text tower of a CLIP model; VLM-Eval's choice is OpenAI's ViT-B/32.

    Weights are loaded at the first text.

    Args:
        model_name: A model of the ``open_clip`` library.
        pretrained: Its weights: a tag or a file; ``None`` leaves them random.
        device: A torch device.

    Raises:
        ModuleNotFoundError: If ``open_clip`` is not installed.
    """

    def __init__(
        self, model_name: str = "ViT-B-32", pretrained: str | None = "openai", device: str = "cpu"
    ) -> None:
        if find_spec("open_clip") is None:
            msg = "OpenCLIPTextEncoder needs open_clip: pip install 'blackbox-anon[clip]'"
            raise ModuleNotFoundError(msg)
        self.model_name = model_name
        self.pretrained = pretrained
        self.device = device
        self._loaded: tuple[Any, Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_loaded": None}  # a worker loads its own copy

    @override
    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> Tensor:
        if self._loaded is None:
            self._loaded = self._load()
        model, tokenize = self._loaded
        embeddings: Tensor = model.encode_text(tokenize(list(texts)).to(self.device))
        return embeddings.float()

    def _load(self) -> tuple[Any, Any]:
        import open_clip  # the optional extra

        try:
            model = open_clip.create_model(
                self.model_name, pretrained=self.pretrained, device=self.device
            )
        except (OSError, RuntimeError) as error:
            msg = (
                "`model_name` and `pretrained` must name a model of open_clip with weights; "
                f"found {self.model_name!r}, {self.pretrained!r} ({error})"
            )
            raise WeightsNotFoundError(msg) from error
        return model.eval().requires_grad_(False), open_clip.get_tokenizer(self.model_name)
