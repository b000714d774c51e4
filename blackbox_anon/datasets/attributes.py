"""Attribute ids and their names. The order of an id tuple is the order of label columns."""

from collections.abc import Collection, Sequence

from blackbox_anon.datasets.vispr_attributes import VISPR_ATTRIBUTES

VISPR1_ATTRIBUTES = (
    "a17_color",
    "a4_gender",
    "a9_face_complete",
    "a10_face_partial",
    "a12_semi_nudity",
    "a64_rel_personal",
    "a65_rel_social",
)
"""The seven attributes of the first VISPR protocol, in the order published label files use."""

VISPR2_ATTRIBUTES = (
    "a11_tattoo",
    "a16_race",
    "a59_sports",
    "a2_weight_approx",
    "a1_age_approx",
    "a6_hair_color",
    "a73_landmark",
)
"""Seven attributes unseen in training under the second protocol; no order was ever published."""

PA_HMDB51_ATTRIBUTES = VISPR1_ATTRIBUTES[:6]
"""Six attributes that VISPR and PA-HMDB51 both label: VISPR1 without the social relationship."""

VITA_ATTRIBUTES = ("skin_color", "face", "gender", "nudity", "relationship")
"""The five tracks of PA-HMDB51, which are also the columns of VP-HMDB51 and VP-UCF101."""

ATTRIBUTE_NAMES: dict[str, str] = {
    **VISPR_ATTRIBUTES,
    "a17_color": "skin color",
    "a4_gender": "gender",
    "a9_face_complete": "complete face",
    "a10_face_partial": "partial face",
    "a12_semi_nudity": "semi-nudity",
    "a64_rel_personal": "personal relationship",
    "a65_rel_social": "social relationship",
    "a11_tattoo": "tattoo",
    "a16_race": "race",
    "a59_sports": "sports",
    "a2_weight_approx": "weight group",
    "a1_age_approx": "age group",
    "a6_hair_color": "hair color",
    "a73_landmark": "landmark or street sign",
    "skin_color": "skin color",
    "face": "face",
    "gender": "gender",
    "nudity": "nudity",
    "relationship": "relationship",
}
"""What a person calls each attribute."""


def known_attributes(attributes: Sequence[str], known: Collection[str]) -> list[str]:
    """Return ids in their order, if a data set has them.

    Args:
        attributes: What was asked for, at least one.
        known: What the set has.

    Raises:
        ValueError: If there is none, or an unknown one.
    """
    unknown = [attribute for attribute in attributes if attribute not in known]
    if unknown or not attributes:
        raise ValueError(f"attributes: expected ids among {list(known)}, found {unknown}")
    return list(attributes)
