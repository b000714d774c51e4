"""Step sizes and perturbation radii that shrink with the step."""


def power_decay(initial: float, exponent: float, step: int, offset: int = 0) -> float:
    r"""Shrink a value by a power of the step.

    .. math:: a_k = \frac{a}{(k + o)^{\alpha}}

    The paper's "exponential decay rate" is the exponent of this power law, as in Spall (1992); a
    true exponential would end training within some twenty steps. With ``offset=0`` the initial
    value holds exactly at the first step.

    Args:
        initial: Value at ``step + offset = 1``.
        exponent: Decay exponent, 0 or more; 0.4 for the step size, 0.2 for the radius.
        step: Step ``k``, counted from 1.
        offset: Added to the step, 0 or more; flattens the beginning.

    Returns:
        The value at this step, in the unit of ``initial``.

    Raises:
        ValueError: If ``step`` is below 1, or ``exponent`` or ``offset`` is negative.

    Example:
        >>> [round(power_decay(0.01, 0.4, step=k), 5) for k in (1, 10, 100)]
        [0.01, 0.00398, 0.00158]

    Reference:
        Appendix E of "When Visual Privacy Protection Meets Multimodal Large Language Models",
        IJCV 2026.
    """
    if step < 1:
        msg = f"`step` must count from 1; found {step}"
        raise ValueError(msg)
    if exponent < 0 or offset < 0:
        msg = f"`exponent` and `offset` must be 0 or more; found {exponent} and {offset}"
        raise ValueError(msg)
    return float(initial / (step + offset) ** exponent)
