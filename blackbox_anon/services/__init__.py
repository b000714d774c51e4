"""What services that answer over HTTP have in common, and where they differ.

Each rule stands alone: which fields a family of services understands, how frames and choices are
written, what a reply or an error means, how fast may be asked, what an image costs, how a key is
kept. :class:`~blackbox_anon.mllms.OpenAICompatibleMLLM` puts them together.

Example:
    >>> wording = Wording(model="m", family=FAMILIES["vllm"], max_new_tokens=8, choices=["a", "b"])
    >>> body = wording.body("Which?", ["data:image/png;base64,iVBORw0KGgo="])
    >>> b'"structured_outputs":{"choice":["a","b"]}' in body
    True
"""

import blackbox_anon.mllms  # noqa: F401  (first: it needs parts of this package)
from blackbox_anon.services.asking import Asking
from blackbox_anon.services.choices import (
    check_choices,
    choice_fields,
    chosen,
    conflict,
    offered_choices,
    unwrapped,
)
from blackbox_anon.services.errors import error_failure
from blackbox_anon.services.families import FAMILIES, Family, FamilyName, family_name
from blackbox_anon.services.first_token import first_token_logprobs
from blackbox_anon.services.headers import RequestLimit, request_limit, retry_after_s
from blackbox_anon.services.image_tokens import Detail, most_image_tokens
from blackbox_anon.services.images import IMAGE_FORMATS, ImageFormat, data_uri
from blackbox_anon.services.judging import judged, teach
from blackbox_anon.services.limiter import AdaptiveLimiter, Ticket
from blackbox_anon.services.lines import Line, Lines
from blackbox_anon.services.pace import Pace
from blackbox_anon.services.replies import Expected, read_reply, same_model
from blackbox_anon.services.secret import ApiKey, scrub
from blackbox_anon.services.transport import Reply, Transport
from blackbox_anon.services.wording import Wording

__all__ = [
    "FAMILIES",
    "IMAGE_FORMATS",
    "AdaptiveLimiter",
    "ApiKey",
    "Asking",
    "Detail",
    "Expected",
    "Family",
    "FamilyName",
    "ImageFormat",
    "Line",
    "Lines",
    "Pace",
    "Reply",
    "RequestLimit",
    "Ticket",
    "Transport",
    "Wording",
    "check_choices",
    "choice_fields",
    "chosen",
    "conflict",
    "data_uri",
    "error_failure",
    "family_name",
    "first_token_logprobs",
    "judged",
    "most_image_tokens",
    "offered_choices",
    "read_reply",
    "request_limit",
    "retry_after_s",
    "same_model",
    "scrub",
    "teach",
    "unwrapped",
]
