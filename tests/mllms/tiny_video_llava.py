"""A Video-LLaVA of random weights, small enough to build in a second, saved as a real folder."""

from pathlib import Path

from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    VideoLlavaConfig,
    VideoLlavaForConditionalGeneration,
    VideoLlavaImageProcessor,
    VideoLlavaProcessor,
    VideoLlavaVideoProcessor,
)

from tests.mllms.tiny_tokenizer import make_tokenizer
from tests.mllms.tiny_weights import save


def make(root: Path, *, size: int = 28, patch: int = 14, width: int = 16, seed: int = 0) -> Path:
    """Save model, processor and tokenizer under ``root`` and return the folder."""
    tokenizer = make_tokenizer()
    square = {"height": size, "width": size}
    processor = VideoLlavaProcessor(
        image_processor=VideoLlavaImageProcessor(size={"shortest_edge": size}, crop_size=square),
        video_processor=VideoLlavaVideoProcessor(size={"shortest_edge": size}, crop_size=square),
        tokenizer=tokenizer,
        patch_size=patch,
        vision_feature_select_strategy="default",
    )
    config = VideoLlavaConfig(
        vision_config=vision_config(size, patch, width),
        text_config=text_config(tokenizer, width),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
    )
    folder = root / "tiny-video-llava"
    return save(lambda: VideoLlavaForConditionalGeneration(config), processor, folder, seed=seed)


def vision_config(size: int, patch: int, width: int) -> CLIPVisionConfig:
    """Two layers."""
    return CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=size,
        patch_size=patch,
        projection_dim=width,
    )


def text_config(tokenizer: object, width: int) -> LlamaConfig:
    """Two layers of twice the width."""
    return LlamaConfig(
        vocab_size=len(tokenizer),  # type: ignore[arg-type]  # untyped library
        hidden_size=2 * width,
        intermediate_size=4 * width,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=1024,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=3,
    )
