"""What a decoder says of one file; the caller knows the path."""


class DecodingError(Exception):
    """One file cannot be decoded, or not without damage; the message is the reason."""
