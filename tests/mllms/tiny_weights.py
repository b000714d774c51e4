"""Random weights for tiny models, and generation settings that have to be overridden."""

from pathlib import Path
from typing import Any

import torch

from tests.mllms.tiny_tokenizer import PLAIN


def save(build: Any, processor: Any, folder: Path, *, seed: int = 0) -> Path:  # noqa: ANN401  (untyped library)
    """Build a model by ``build()``, save it and its processor in ``folder`` and return that."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build()
        for parameter in model.parameters():  # the stock 0.02 makes every answer the same
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.2)
    media = [token for token in processor.tokenizer.all_special_ids if token >= len(PLAIN)]
    model.lm_head.weight.data[media] = 0  # as if trained: no placeholder in an answer
    model.generation_config.do_sample = True  # as Video-LLaVA's inference code and Qwen's settings
    model.generation_config.temperature = 5.0
    model.generation_config.repetition_penalty = 1.5
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
