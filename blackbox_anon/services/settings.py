"""Checks of a client's arguments."""

from collections.abc import Mapping

from blackbox_anon.services.asking import QUESTION
from blackbox_anon.services.wording import RESERVED


def check_range(name: str, value: int | None, least: int, most: int | None = None) -> None:
    """Refuse a count that is out of its range.

    Args:
        name: The argument.
        value: The count; ``None`` passes.
        least: The smallest that is taken.
        most: The largest; ``None``: any.

    Raises:
        ValueError: If it is.
    """
    if value is None or (value >= least and (most is None or value <= most)):
        return
    expected = f"at least {least}" if most is None else f"from {least} to {most}"
    raise ValueError(f"`{name}` must be {expected}; found {value}")


def check_settings(
    *, timeout_s: float, prompt_template: str, extra_body: Mapping[str, object] | None
) -> None:
    """Refuse what no request could be made with.

    Raises:
        ValueError: If ``timeout_s`` is not positive, ``prompt_template`` lacks the question, or
            ``extra_body`` holds what replies and bounds of costs rely on.
    """
    if not timeout_s > 0:
        raise ValueError(f"`timeout_s` must be positive; found {timeout_s}")
    if QUESTION not in prompt_template:
        msg = f"`prompt_template` must contain {QUESTION!r}; found {prompt_template!r}"
        raise ValueError(msg)
    if ours := [name for name in RESERVED if name in (extra_body or {})]:
        raise ValueError(f"`extra_body` must not hold {', '.join(RESERVED)}; found {ours}")
