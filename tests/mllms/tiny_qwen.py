"""A Qwen2.5-VL of random weights, with a chat template like its own."""

from pathlib import Path

from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

from tests.mllms.tiny_tokenizer import make_tokenizer
from tests.mllms.tiny_weights import save

MEDIA = ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"]
CHAT = (
    "{% for turn in messages %}USER: {% for part in turn['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}"
    "{% else %}<|vision_start|><|{{ part['type'] }}_pad|><|vision_end|>{% endif %}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %} ASSISTANT:\n{% endif %}"
)


def make(root: Path, *, size: int = 28, width: int = 32, seed: int = 0) -> Path:
    """Save model, processor and tokenizer under ``root``; frames become ``size`` pixels wide."""
    tokenizer = make_tokenizer(MEDIA)
    pixels = {"min_pixels": size * size, "max_pixels": size * size}
    processor = Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(**pixels),
        video_processor=Qwen2VLVideoProcessor(**pixels),
        tokenizer=tokenizer,
        chat_template=CHAT,
    )
    image, video, start, end = tokenizer.convert_tokens_to_ids(MEDIA)
    config = Qwen2_5_VLConfig(
        vision_config={
            "depth": 2,
            "hidden_size": width,
            "intermediate_size": 2 * width,
            "num_heads": 2,
            "out_hidden_size": width,
            "window_size": 56,
            "fullatt_block_indexes": [1],
        },
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": width,
            "intermediate_size": 2 * width,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [2, 3, 3],
                "rope_theta": 10_000.0,
            },
            "max_position_embeddings": 1024,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "pad_token_id": 3,
        },
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )
    folder = root / "tiny-qwen"
    return save(lambda: Qwen2_5_VLForConditionalGeneration(config), processor, folder, seed=seed)
