"""The embedded MLLM: a small Video-LLaVA and its word-level processor."""

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
from torch import Tensor
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

from blackbox_anon.world.questions import vocabulary

SPECIAL = ("<pad>", "<s>", "</s>", "<unk>", "<image>", "<video>")
IMAGE_SIZE, PATCH = 64, 16
IMAGE_MEAN, IMAGE_STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """One token per word of the world's questions and answers."""
    words = [*SPECIAL, "USER:", "ASSISTANT:", *vocabulary()]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r"\?"), "isolated"), pre_tokenizers.WhitespaceSplit()]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", words.index("<s>"))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        additional_special_tokens=["<image>", "<video>"],
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def build_processor() -> VideoLlavaProcessor:
    """Processor with the traps of a hand-made one set: patch size, strategy, 64 pixels."""
    square = {"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    common = {
        "size": {"shortest_edge": IMAGE_SIZE},
        "crop_size": square,
        "image_mean": list(IMAGE_MEAN),
        "image_std": list(IMAGE_STD),
    }
    return VideoLlavaProcessor(
        image_processor=VideoLlavaImageProcessor(**common),
        video_processor=VideoLlavaVideoProcessor(**common),
        tokenizer=build_tokenizer(),
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )


def build_model() -> VideoLlavaForConditionalGeneration:
    """About three million parameters, randomly initialised."""
    tokenizer = build_tokenizer()
    vision = CLIPVisionConfig(
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=IMAGE_SIZE,
        patch_size=PATCH,
        projection_dim=128,
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=160,
        intermediate_size=448,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=512,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    config = VideoLlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        vision_feature_layer=-1,
        image_seq_length=(IMAGE_SIZE // PATCH) ** 2,
        video_seq_length=8 * ((IMAGE_SIZE // PATCH) ** 2 + 1),
    )
    return VideoLlavaForConditionalGeneration(config)


def normalise(frames: Tensor) -> Tensor:
    """Normalise frames in ``[0, 1]`` as the processor does."""
    mean, std = torch.tensor(IMAGE_MEAN).view(3, 1, 1), torch.tensor(IMAGE_STD).view(3, 1, 1)
    return (frames - mean) / std
