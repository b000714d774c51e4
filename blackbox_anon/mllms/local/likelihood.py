"""How likely is each of many answers, with the frames and the question computed once?"""

from collections.abc import Sequence
from inspect import signature
from typing import Any, Literal

import torch
from torch import Tensor

from blackbox_anon.errors import MLLMError

Likelihood = Literal["sum", "mean"]

_EARLIER = "past_key_values"  # what transformers called `cache` before 5.24
MOST_TOKENS = 512  # of choices in one pass: bounds the logits, (B, 512, V)


def choice_likelihoods(
    model: Any,  # noqa: ANN401  (untyped library)
    output: Any,  # noqa: ANN401  (untyped library)
    attention_mask: Tensor,
    names: Sequence[Sequence[int]],
    *,
    end: int,
    reduction: Likelihood = "sum",
) -> Tensor:
    r"""Log-probability that the answer is exactly a choice, for each.

    .. math:: \ell_k = \sum_{i=1}^{n_k + 1} \log p(y_{k,i} \mid \text{prompt}, y_{k,<i})

    with the frames in the prompt and :math:`y_{k,n_k+1}` the end of the answer: a choice that
    begins another ("basketball", "basketball dunk") competes with it, and the probabilities of
    different choices add up to at most 1. ``"mean"`` divides by :math:`n_k + 1`, against the
    advantage of short texts.

    All choices go through the model as one sequence per row behind the prompt's keys and values,
    each seeing the prompt and itself only. Nothing is copied per choice.

    Args:
        model: The model, with full attention in every layer.
        output: What ``model.generate`` returned for the prompts, with ``logits`` and the cache of
            keys and values; of the latter the prompt's part is kept.
        attention_mask: Of the prompts, ``(B, P)``, padded on the left.
        names: Tokens of ``K`` choices, see :func:`choice_tokens`.
        end: Token that ends an answer.
        reduction: Sum or mean over tokens.

    Returns:
        ``(B, K)`` in nats, float32.

    Raises:
        MLLMError: If the model keeps something else than all keys and values.
    """
    cache = output["cache" if "cache" in output else _EARLIER]
    _check(cache)
    answered = cache.get_seq_length() - attention_mask.shape[1]
    if answered > 0:  # by 0, earlier releases of transformers crop everything
        cache.crop(-answered)
    first: Tensor = output.logits[0].float().log_softmax(dim=-1)
    rest = [_later(model, cache, attention_mask, group, end) for group in _groups(names)]
    total = first[:, [name[0] for name in names]] + torch.cat(rest, dim=1)
    if reduction == "sum":
        return total
    return total / torch.tensor([len(name) + 1 for name in names], device=total.device)


def _check(cache: Any) -> None:  # noqa: ANN401  (untyped library)
    from transformers.cache_utils import DynamicLayer  # seconds to import

    other = {type(layer).__name__ for layer in cache.layers if type(layer) is not DynamicLayer}
    if other:
        msg = f"`grey_box` needs a model with full attention in every layer; found {sorted(other)}"
        raise MLLMError(msg)


def _groups(names: Sequence[Sequence[int]]) -> list[list[Sequence[int]]]:
    groups: list[list[Sequence[int]]] = [[]]
    for name in names:
        if groups[-1] and sum(map(len, groups[-1])) + len(name) > MOST_TOKENS:
            groups.append([])
        groups[-1].append(name)
    return groups


def _later(
    model: Any,  # noqa: ANN401  (untyped library)
    cache: Any,  # noqa: ANN401  (untyped library)
    mask: Tensor,
    names: Sequence[Sequence[int]],
    end: int,
) -> Tensor:
    """Summed log-probabilities of all tokens but a choice's first; leaves the cache as it was."""
    device = mask.device
    tokens = torch.tensor([t for name in names for t in name], device=device)
    following = torch.tensor([t for name in names for t in [*name[1:], end]], device=device)
    owner = torch.tensor([k for k, name in enumerate(names) for _ in name], device=device)
    depth = torch.tensor([i for name in names for i in range(len(name))], device=device)
    logits = model(
        input_ids=tokens.expand(len(mask), -1),
        attention_mask=_visible(mask, owner, depth, model.dtype),
        position_ids=_positions(model, mask, depth),
        use_cache=True,
        **{"cache" if "cache" in signature(model.forward).parameters else _EARLIER: cache},
    ).logits
    cache.crop(-len(tokens))
    rows = [row.float().log_softmax(dim=-1).gather(1, following[:, None])[:, 0] for row in logits]
    sums = torch.zeros(len(mask), len(names), device=device)
    return sums.index_add_(1, owner, torch.stack(rows))


def _visible(mask: Tensor, owner: Tensor, depth: Tensor, dtype: torch.dtype) -> Tensor:
    """What to add to the attention scores, ``(B, 1, L, P + L)``: 0 where a token looks."""
    own = (owner[:, None] == owner) & (depth[:, None] >= depth)
    prompt = mask.bool()[:, None, None, :].expand(-1, 1, len(owner), -1)
    seen = torch.cat([prompt, own.expand(len(mask), 1, -1, -1)], dim=-1)
    return torch.zeros(seen.shape, dtype=dtype, device=mask.device).masked_fill_(
        ~seen, torch.finfo(dtype).min
    )


def _positions(model: Any, mask: Tensor, depth: Tensor) -> Tensor:  # noqa: ANN401  (untyped library)
    """Positions ``(B, L)``; Qwen's frames take up fewer than they have tokens, as it remembers."""
    positions = mask.sum(dim=1, keepdim=True) + depth
    deltas = getattr(model.base_model, "rope_deltas", None)
    return positions if deltas is None else positions + deltas.to(positions.device)
