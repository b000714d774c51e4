"""Refuse arguments that are out of their range, all in one wording."""


def require(**arguments: tuple[object, bool, str]) -> None:
    """Check arguments in the order given.

    Args:
        arguments: By name: what was found, whether it is right, and what is expected.

    Raises:
        ValueError: For the first that is not right; names it, what was expected and what found.

    Example:
        >>> radius = -1.0
        >>> require(radius=(radius, radius > 0, "positive"))
        Traceback (most recent call last):
        ValueError: `radius` must be positive; found -1.0
    """
    for name, (found, holds, expected) in arguments.items():
        if not holds:
            msg = f"`{name}` must be {expected}; found {found!r}"
            raise ValueError(msg)
