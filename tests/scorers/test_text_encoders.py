import pickle
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from blackbox_anon.errors import WeightsNotFoundError
from blackbox_anon.scorers import CharacterNGramEncoder, OpenCLIPTextEncoder, text_encoders

PINNED = [1, 0, 4, 0, 1, 1, 0, 0, 0, 0, 2, 1, 0, 1, 1, 0]  # pieces of " walk " per place


class TestCharacterNGramEncoder:
    def test_is_the_same_everywhere(self) -> None:
        [vector] = CharacterNGramEncoder(dimension=16).encode(["Walk"])

        counts = (vector / vector[vector > 0].min()).round().int()
        assert counts.tolist() == PINNED

    def test_ignores_case_and_spacing(self) -> None:
        one, other = CharacterNGramEncoder().encode(["Apply  eye makeup ", "apply EYE makeup"])

        assert torch.equal(one, other)

    def test_unit_length_or_zero(self) -> None:
        norms = CharacterNGramEncoder().encode(["walk", "a", "", " ", "été"]).norm(dim=-1)

        torch.testing.assert_close(norms, torch.tensor([1.0, 1.0, 0.0, 0.0, 1.0]))

    def test_no_texts(self) -> None:
        assert CharacterNGramEncoder(dimension=8).encode([]).shape == (0, 8)

    def test_dimension_is_checked(self) -> None:
        with pytest.raises(ValueError, match="`dimension` must be positive; found 0"):
            CharacterNGramEncoder(dimension=0)


class TinyTower(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(256, 4)

    def encode_text(self, tokens: Tensor) -> Tensor:
        embedded: Tensor = self.embedding(tokens)
        return embedded.mean(dim=1).half()


def fake_open_clip(model_name: str, pretrained: str | None, device: str) -> nn.Module:
    if pretrained is not None:
        msg = f"no weights {pretrained}"
        raise RuntimeError(msg)
    assert (model_name, device) == ("tiny", "cpu")
    return TinyTower()


def fake_tokenize(texts: list[str]) -> Tensor:
    return torch.tensor([[ord(c) for c in text[:4].ljust(4)] for text in texts])


class TestOpenCLIPTextEncoder:
    @pytest.fixture
    def _fake(self, monkeypatch: pytest.MonkeyPatch) -> None:
        module = SimpleNamespace(
            create_model=fake_open_clip, get_tokenizer=lambda name: (name, fake_tokenize)[1]
        )
        monkeypatch.setitem(sys.modules, "open_clip", module)
        monkeypatch.setattr(text_encoders, "find_spec", lambda name: name)

    def test_missing_library_names_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(text_encoders, "find_spec", lambda name: None if name else name)

        with pytest.raises(ModuleNotFoundError, match=r"blackbox-anon\[clip\]"):
            OpenCLIPTextEncoder()

    @pytest.mark.usefixtures("_fake")
    def test_encodes_without_gradients(self) -> None:
        encoder = OpenCLIPTextEncoder("tiny", None)

        embeddings = encoder.encode(["walk", "run", "walk"])
        again = encoder.encode(["walk", "run", "walk"])

        assert embeddings.shape == (3, 4)
        assert embeddings.dtype == torch.float32
        assert not embeddings.requires_grad
        assert torch.equal(embeddings[0], embeddings[2])
        assert torch.equal(embeddings, again)

    @pytest.mark.usefixtures("_fake")
    def test_pickles_without_weights(self) -> None:
        encoder = OpenCLIPTextEncoder("tiny", None)
        encoder.encode(["walk"])

        assert len(pickle.dumps(encoder)) < 500

    @pytest.mark.usefixtures("_fake")
    def test_missing_weights(self) -> None:
        with pytest.raises(WeightsNotFoundError, match="no weights openai") as caught:
            OpenCLIPTextEncoder("tiny").encode(["walk"])

        assert "\n" not in str(caught.value)

    def test_a_real_tower(self) -> None:
        pytest.importorskip("open_clip")

        embeddings = OpenCLIPTextEncoder("ViT-B-32", None).encode(["walk", "run"])

        assert embeddings.shape == (2, 512)
        assert embeddings.isfinite().all()
