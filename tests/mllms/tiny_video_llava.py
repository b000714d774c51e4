"""A Video-LLaVA of random weights, small enough to build in a second, saved as a real folder."""

from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    PreTrainedTokenizerFast,
    VideoLlavaConfig,
    VideoLlavaForConditionalGeneration,
    VideoLlavaImageProcessor,
    VideoLlavaProcessor,
    VideoLlavaVideoProcessor,
)

SPECIALS = ["<unk>", "<s>", "</s>", "<pad>", "<image>", "<video>"]
WORDS = "USER: ASSISTANT: What is the person doing ? Answer in one word . walk Walk run jump wave"


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
        vision_config=CLIPVisionConfig(
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=size,
            patch_size=patch,
            projection_dim=width,
        ),
        text_config=LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=2 * width,
            intermediate_size=4 * width,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=1024,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = VideoLlavaForConditionalGeneration(config)
        for parameter in model.parameters():  # the stock 0.02 makes every answer the same
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.2)
    model.generation_config.do_sample = True  # as the original inference code; must be overridden
    model.generation_config.temperature = 5.0
    folder = root / "tiny-video-llava"
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def make_tokenizer() -> PreTrainedTokenizerFast:
    """One token per word."""
    entries = [*SPECIALS, *WORDS.split()]
    words = Tokenizer(WordLevel({w: i for i, w in enumerate(entries)}, unk_token="<unk>"))
    words.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        additional_special_tokens=["<image>", "<video>"],
        padding_side="left",
    )
