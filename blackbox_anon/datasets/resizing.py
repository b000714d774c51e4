"""The one resize, under the name image reading knows it by."""

from blackbox_anon.decoding.resizing import Crop, resize

__all__ = ["Crop", "resize"]
