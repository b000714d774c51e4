"""Attributes by id, or by the name of a published set."""

from collections.abc import Collection, Mapping, Sequence


def chosen_attributes(
    attributes: str | Sequence[str], named: Mapping[str, Sequence[str]], known: Collection[str]
) -> list[str]:
    """Look up what a config says, before any file is opened.

    Args:
        attributes: Ids, or a name.
        named: Published sets by name.
        known: Ids that the data set has.

    Returns:
        Ids in order.

    Raises:
        ValueError: If an id or the name is unknown, or there is none.

    Example:
        >>> chosen_attributes(["face"], {}, ["face", "gender"])
        ['face']
    """
    ids = named.get(attributes, [attributes]) if isinstance(attributes, str) else attributes
    unknown = [a for a in ids if a not in known]
    if unknown or not ids:
        choice = f"one of {sorted(named)} or " if named else ""
        raise ValueError(
            f"`attributes` must be {choice}ids among {', '.join(known)}; found {unknown or 'none'}"
        )
    return list(ids)
