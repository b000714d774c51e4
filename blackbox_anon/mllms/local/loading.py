"""Load a model and its processor, and set what their files leave open."""

from importlib.util import find_spec
from typing import Any, Literal

import torch

from blackbox_anon.errors import MLLMError, WeightsNotFoundError

DType = Literal["auto", "float32", "bfloat16", "float16"]


def load(
    path: str,
    *,
    dtype: DType,
    device: str,
    device_map: str | None,
    attn_implementation: str | None,
    local_files_only: bool,
) -> tuple[Any, Any]:
    """Load a model, frozen and in evaluation mode, and its processor.

    Args:
        path: Folder saved by ``save_pretrained``, or a hub name.
        dtype: Number format of the weights; ``"auto"`` keeps the saved one.
        device: A torch device, or ``"auto"``: the current CUDA device if there is one.
        device_map: How to spread the model over devices, instead of ``device``.
        attn_implementation: Which attention to use; ``None`` is the library's choice.
        local_files_only: Never ask the network.

    Raises:
        WeightsNotFoundError: If files or weights are missing or do not fit together.
        MLLMError: If ``device_map`` is given without the package that it needs.
    """
    from transformers import AutoModelForImageTextToText, AutoProcessor  # seconds to import

    if device_map is not None and find_spec("accelerate") is None:
        msg = "`device_map` needs the package accelerate; found none: pip install accelerate"
        raise MLLMError(msg)
    settings: dict[str, Any] = {"dtype": dtype, "local_files_only": local_files_only}
    if attn_implementation is not None:
        settings["attn_implementation"] = attn_implementation
    if device_map is not None:
        settings["device_map"] = device_map
    try:
        processor = AutoProcessor.from_pretrained(path, local_files_only=local_files_only)
        model, info = AutoModelForImageTextToText.from_pretrained(
            path, output_loading_info=True, **settings
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise _not_found(path, str(error).strip().split("\n")[0]) from error
    if info["missing_keys"]:  # transformers would go on with random values
        raise _not_found(path, f"lacks weights such as {min(info['missing_keys'])}")
    if device_map is None:
        model = model.to(_resolve(device))
    _set_token_count(processor, model.config)
    return model.eval().requires_grad_(False), processor


def greedy(model: Any, processor: Any, *, max_new_tokens: int, logits: bool) -> Any:  # noqa: ANN401  (untyped library)
    """Return greedy decoding settings; of the model's own, only its end tokens are kept."""
    from transformers import GenerationConfig

    stop = model.generation_config.eos_token_id
    stop = processor.tokenizer.eos_token_id if stop is None else stop
    return GenerationConfig(
        do_sample=False,
        num_beams=1,
        max_new_tokens=max_new_tokens,
        eos_token_id=stop,
        pad_token_id=stop[0] if isinstance(stop, list) else stop,  # skipped when decoding
        output_logits=logits,
        return_dict_in_generate=True,
    )


def _resolve(device: str) -> str:
    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


def _set_token_count(processor: Any, config: Any) -> None:  # noqa: ANN401  (untyped library)
    """Older LLaVA processors do not say how many tokens an image takes; the model's files do."""
    if getattr(processor, "patch_size", 0) is None:
        processor.patch_size = config.vision_config.patch_size
    if getattr(processor, "vision_feature_select_strategy", "") is None:
        processor.vision_feature_select_strategy = config.vision_feature_select_strategy
        has_cls = config.vision_config.model_type == "clip_vision_model"
        processor.num_additional_image_tokens = int(has_cls)


def _not_found(path: str, reason: str) -> WeightsNotFoundError:
    return WeightsNotFoundError(
        "`path` must be a folder with a saved model and processor, or a hub name that is "
        f"cached or can be downloaded; found {path!r} ({reason})"
    )
