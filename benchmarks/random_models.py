"""Local models of random weights in the shapes of published ones, and what a step with them costs.

A forward pass takes the time that it takes with trained weights; answers are nonsense, as long as
the longest that is allowed.
"""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from lightning.pytorch import Trainer
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from benchmarks.step_overhead import BLACK_BOX, fit, parts
from blackbox_anon.anonymizers import UNetAnonymizer
from blackbox_anon.estimators import CriticalHistorySPSA
from blackbox_anon.mllms import HuggingFaceMLLM, huggingface
from blackbox_anon.reviewers import AttributeReviewer
from blackbox_anon.tasks import ActionRecognition
from blackbox_anon.world import PeopleWorld, PeopleWorldDataModule

PATCH = 14
SPECIAL = ["<unk>", "<s>", "</s>", "<pad>"]
WORDS = "USER: ASSISTANT: What is the person doing?"


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """The sizes of a model.

    Attributes:
        video: Whether clips are given as video (Video-LLaVA) or a clip is one image (LLaVA-1.5).
        image_size: Height and width that its vision tower takes.
        vision: Of the vision tower, as in ``CLIPVisionConfig``.
        text: Of the language model, as in ``LlamaConfig``.
        clip_frames: Frames of a clip.
    """

    video: bool
    image_size: int
    vision: Mapping[str, int]
    text: Mapping[str, int]
    clip_frames: int


_CLIP_LARGE = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "projection_dim": 768,
}
_VICUNA_7B = {
    "vocab_size": 32064,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "max_position_embeddings": 4096,
}
_TINY_VISION = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "projection_dim": 16,
}
_TINY_TEXT = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 1024,
}

GEOMETRIES: Mapping[str, Geometry] = {
    "LLaVA-1.5-7B": Geometry(
        video=False, image_size=336, vision=_CLIP_LARGE, text=_VICUNA_7B, clip_frames=1
    ),
    "Video-LLaVA-7B": Geometry(
        video=True, image_size=224, vision=_CLIP_LARGE, text=_VICUNA_7B, clip_frames=8
    ),
}


def shrunk(geometry: Geometry) -> Geometry:
    """Return the same kind of model with 28 pixels and two layers."""
    return Geometry(
        video=geometry.video,
        image_size=2 * PATCH,
        vision=_TINY_VISION,
        text=_TINY_TEXT,
        clip_frames=geometry.clip_frames,
    )


def build(geometry: Geometry, device: str) -> tuple[Any, Any]:
    """Make a model in bfloat16 on the device itself, and its processor.

    Args:
        geometry: Its sizes.
        device: A torch device.
    """
    from transformers import CLIPVisionConfig, LlamaConfig  # seconds to import

    tokenizer = _tokenizer(geometry)
    vision = CLIPVisionConfig(image_size=geometry.image_size, patch_size=PATCH, **geometry.vision)
    text = LlamaConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **geometry.text,
    )
    kind, config, processor = _family(geometry, tokenizer, vision, text)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device), torch.random.fork_rng():
            torch.manual_seed(0)
            model = kind(config)
    finally:
        torch.set_default_dtype(before)
    return model.eval().requires_grad_(False), processor


def _tokenizer(geometry: Geometry) -> Any:  # noqa: ANN401  (untyped library)
    """A word for every entry of the vocabulary."""
    from transformers import PreTrainedTokenizerFast

    media = ["<image>", "<video>"] if geometry.video else ["<image>"]
    known = [*SPECIAL, *media, *WORDS.split()]
    size = geometry.text["vocab_size"]
    entries = [*known, *(f"w{i}" for i in range(size - len(known)))]
    words = Tokenizer(WordLevel({word: i for i, word in enumerate(entries)}, unk_token="<unk>"))
    words.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        additional_special_tokens=media,
        padding_side="left",
    )


def _family(
    geometry: Geometry,
    tokenizer: Any,  # noqa: ANN401  (untyped library)
    vision: Any,  # noqa: ANN401  (the same)
    text: Any,  # noqa: ANN401  (the same)
) -> tuple[Any, Any, Any]:
    """Return the model's class, its config and its processor."""
    import transformers
    from transformers.models.llava.image_processing_llava import LlavaImageProcessor

    square = {"height": geometry.image_size, "width": geometry.image_size}
    size: dict[str, Any] = {"size": {"shortest_edge": geometry.image_size}, "crop_size": square}
    common = {"vision_config": vision, "text_config": text}
    image = tokenizer.convert_tokens_to_ids("<image>")
    patches: dict[str, Any] = {
        "tokenizer": tokenizer,
        "patch_size": PATCH,
        "vision_feature_select_strategy": "default",
    }
    if not geometry.video:
        processor = transformers.LlavaProcessor(
            image_processor=LlavaImageProcessor(**size),
            num_additional_image_tokens=1,
            **patches,
        )
        config = transformers.LlavaConfig(image_token_index=image, **common)
        return transformers.LlavaForConditionalGeneration, config, processor
    processor = transformers.VideoLlavaProcessor(
        image_processor=transformers.VideoLlavaImageProcessor(**size),
        video_processor=transformers.VideoLlavaVideoProcessor(**size),
        **patches,
    )
    config = transformers.VideoLlavaConfig(
        image_token_index=image,
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        **common,
    )
    return transformers.VideoLlavaForConditionalGeneration, config, processor


def measure_geometry(
    name: str, warmup: int, steps: int, folder: str, *, device: str, tiny: bool = False
) -> dict[str, Any]:
    """Train for a few steps with a local model of random weights.

    Args:
        name: One of :data:`GEOMETRIES`.
        warmup: Steps that are not counted.
        steps: Steps that are.
        folder: For logs.
        device: ``cuda`` or ``cpu``.
        tiny: Everything small.

    Returns:
        Milliseconds per step by part, their sum, and the black box's share of it.
    """
    geometry = GEOMETRIES[name]
    if tiny:
        geometry = shrunk(geometry)
    mllm = HuggingFaceMLLM(
        f"random {name}", dtype="bfloat16", device=device, max_new_tokens=16, num_logprobs=20
    )
    size, batch = (32, 2) if tiny else (224, 8)
    data = PeopleWorldDataModule(
        train_clips=batch * (warmup + steps),
        clip_frames=geometry.clip_frames,
        size=size,
        batch_size=batch,
        privacy_batch_size=2 * batch,
        num_workers=0 if tiny else 4,
    )
    task = _task(mllm, tiny=tiny)
    trainer = Trainer(
        accelerator="gpu" if device == "cuda" else "cpu",
        devices=1,
        max_epochs=1,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    with patch.object(huggingface, "load", lambda *_, **__: build(geometry, device)):
        clock = fit(task, trainer, data, warmup, steps)
    found = parts(task, clock)
    share = found["ms_per_step"][BLACK_BOX] / found["total_ms_per_step"]
    return {
        **found,
        "black_box_share": share,
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.processor(),
    }


def _task(mllm: HuggingFaceMLLM, *, tiny: bool) -> ActionRecognition:
    """The parts of ``ucf.yaml``, untrained."""
    anonymizer = (
        UNetAnonymizer("tu-tf_mobilenetv3_small_minimal_100", depth=2, width=4)
        if tiny
        else UNetAnonymizer("resnet34", depth=5, width=22)
    )
    backbone = "test_resnet" if tiny else "resnet50"
    return ActionRecognition(
        anonymizer,
        AttributeReviewer(backbone, len(PeopleWorld.attributes)),
        mllm,
        estimator=CriticalHistorySPSA(0.005),
    )
