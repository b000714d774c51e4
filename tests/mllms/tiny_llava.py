"""A LLaVA-1.5 of random weights, saved as older releases are: without a word on patches."""

from pathlib import Path

from transformers import LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor
from transformers.models.llava.image_processing_llava import LlavaImageProcessor

from tests.mllms.tiny_tokenizer import make_tokenizer
from tests.mllms.tiny_video_llava import text_config, vision_config
from tests.mllms.tiny_weights import save


def make(root: Path, *, size: int = 28, patch: int = 14, width: int = 16, seed: int = 0) -> Path:
    """Save model, processor and tokenizer under ``root`` and return the folder."""
    tokenizer = make_tokenizer(["<image>"])
    square = {"height": size, "width": size}
    processor = LlavaProcessor(
        image_processor=LlavaImageProcessor(size={"shortest_edge": size}, crop_size=square),
        tokenizer=tokenizer,
    )
    config = LlavaConfig(
        vision_config=vision_config(size, patch, width),
        text_config=text_config(tokenizer, width),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    folder = root / "tiny-llava"
    return save(lambda: LlavaForConditionalGeneration(config), processor, folder, seed=seed)
