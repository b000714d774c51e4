"""A tokenizer of one token per word, for models of random weights."""

from collections.abc import Sequence

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast

PLAIN = ["<unk>", "<s>", "</s>", "<pad>"]
WORDS = "USER: ASSISTANT: What is the person doing ? Answer in one word . walk Walk run jump wave"


def make_tokenizer(media: Sequence[str] = ("<image>", "<video>")) -> PreTrainedTokenizerFast:
    """Special tokens, those of ``media`` among them, and the words."""
    entries = [*PLAIN, *media, *WORDS.split()]
    words = Tokenizer(WordLevel({w: i for i, w in enumerate(entries)}, unk_token="<unk>"))
    words.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        additional_special_tokens=list(media),
        padding_side="left",
    )
