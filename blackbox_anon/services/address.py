"""Where a service is."""

import logging
import os
from urllib.parse import urlsplit

_log = logging.getLogger(__name__)

OPENAI_URL = "https://api.openai.com/v1"
_ENDPOINTS = ("/chat/completions", "/completions", "/responses")
_LOCAL = ("localhost", "127.0.0.1", "::1")


def base_url_of(given: str | None) -> str:
    """Return the address that endpoints are appended to.

    Args:
        given: The address; ``None`` takes the environment's ``OPENAI_BASE_URL`` or
            ``OPENAI_API_BASE``, else OpenAI's. An endpoint's own address is shortened, and ``/v1``
            is added where there is no path.

    Raises:
        ValueError: If it is no HTTP address, or holds a user, a password or a query: a key in an
            address ends up in files and logs.

    Example:
        >>> base_url_of("http://127.0.0.1:8000/v1/chat/completions")
        'http://127.0.0.1:8000/v1'
        >>> base_url_of("http://localhost:11434")
        'http://localhost:11434/v1'
    """
    if given is None:
        given = os.environ.get("OPENAI_BASE_URL") or os.environ.get("OPENAI_API_BASE")
    url = (given or OPENAI_URL).strip().rstrip("/")
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        msg = (
            f"`base_url` must hold no user, password, query or fragment; found one at host "
            f"{parts.hostname!r} (not shown). The key's place is the environment"
        )
        raise ValueError(msg)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        msg = f"`base_url` must be an address such as {OPENAI_URL}; found {url!r}"
        raise ValueError(msg)
    if parts.scheme == "http" and parts.hostname not in _LOCAL:
        _log.warning("key and frames go to %s without encryption", parts.hostname)
    for endpoint in _ENDPOINTS:
        url = url.removesuffix(endpoint)
    return url if urlsplit(url).path else f"{url}/v1"
