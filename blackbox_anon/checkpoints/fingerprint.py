"""What makes two commands the same run."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_OUTSIDE = {"config", "weights_only", "verbose", "return_predictions"}
_ABOUT_OUTPUT = {
    "barebones",
    "default_root_dir",
    "detect_anomaly",
    "enable_checkpointing",
    "enable_model_summary",
    "enable_progress_bar",
    "log_every_n_steps",
    "logger",
    "plugins",
    "profiler",
}
_ANYWHERE = {"max_unreadable", "num_workers", "overlap"}
_RESUME = "ExactResume"


def decisive(config: Mapping[str, Any], *, mllm: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Keep of a parsed config what decides the weights a run ends with.

    Left out is where and how a run logs, how many processes load data, and how often it is saved.

    Args:
        config: The config of ``fit``, as plain values.
        mllm: What identifies the black box (:attr:`~blackbox_anon.mllms.AbstractMLLM.identity`);
            it stands in for its config, so that caps, time-outs and caches may be changed.

    Example:
        >>> decisive({"trainer": {"max_epochs": 2, "logger": True}, "config": ["a.yaml"]})
        {'trainer': {'max_epochs': 2}}
    """
    kept: dict[str, Any] = {k: _without(v) for k, v in config.items() if k not in _OUTSIDE}
    trainer = kept.get("trainer") or {}
    kept["trainer"] = {k: v for k, v in trainer.items() if k not in _ABOUT_OUTPUT}
    callbacks = kept["trainer"].get("callbacks")
    if isinstance(callbacks, list):
        others = [c for c in callbacks if not _class_name(c).endswith(_RESUME)]
        kept["trainer"]["callbacks"] = others or None
    arguments = (kept.get("model") or {}).get("init_args") or {}
    if mllm is not None and "mllm" in arguments:
        arguments["mllm"] = dict(mllm)
    return kept


def fingerprint(values: Mapping[str, Any]) -> str:
    """Return a digest of plain values, 12 hexadecimal digits.

    Example:
        >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
        True
    """
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Name the settings in which two configs differ, with both values.

    Example:
        >>> differences({"trainer": {"max_epochs": 1}}, {"trainer": {"max_epochs": 2}})
        ['trainer.max_epochs (1, now 2)']
    """
    ours, theirs = _flat(first), _flat(second)
    names = sorted(ours.keys() | theirs.keys())
    return [
        f"{n} ({ours.get(n)}, now {theirs.get(n)})" for n in names if ours.get(n) != theirs.get(n)
    ]


def _without(value: Any) -> Any:  # noqa: ANN401  # JSON
    if isinstance(value, Mapping):
        return {k: _without(v) for k, v in value.items() if k not in _ANYWHERE}
    return [_without(v) for v in value] if isinstance(value, list) else value


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        inner = _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else None
        found |= {f"{prefix}{name}": value} if inner is None else inner
    return found


def _class_name(value: Any) -> str:  # noqa: ANN401  # JSON
    return str(value.get("class_path", "")) if isinstance(value, Mapping) else ""
