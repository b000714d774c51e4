"""From a decoded frame to RGB, byte for byte as the ``ffmpeg`` program converts it.

PyAV's own conversion differs from the program's for odd heights, more than 8 bits, 4:1:1 and
interlaced frames. The program's filters exist in PyAV too and give its bytes for all of them:
``scale`` with bicubic flags and no regard to interlacing, after the picture is brought upright.
"""

from fractions import Fraction

import av
import numpy as np

from blackbox_anon.decoders.display import Filters, upright

SCALE = ("scale", "flags=bicubic:interl=0")
TO_RGB: Filters = (SCALE, ("format", "pix_fmts=rgb24"), ("buffersink", ""))


class RGBConverter:
    """Turns the frames of one stream into arrays; builds filters once per frame format.

    Example:
        >>> grey = av.VideoFrame.from_ndarray(np.full((4, 6), 128, np.uint8), format="gray")
        >>> grey.time_base = Fraction(1, 25)
        >>> RGBConverter()(grey).shape
        (4, 6, 3)
    """

    def __init__(self) -> None:
        self._graphs: dict[tuple[object, ...], av.filter.Graph] = {}

    def __call__(self, frame: "av.VideoFrame") -> np.ndarray:
        """Convert one frame.

        Args:
            frame: As decoded.

        Returns:
            Shape ``(H, W, 3)``, uint8, upright.
        """
        turn = upright(frame)
        key = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range)
        if (*key, turn) not in self._graphs:
            self._graphs[(*key, turn)] = _graph(frame, turn)
        graph = self._graphs[(*key, turn)]
        graph.push(frame)
        return np.asarray(graph.pull().to_ndarray())


def _graph(frame: "av.VideoFrame", turn: Filters) -> "av.filter.Graph":
    graph = av.filter.Graph()
    last = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format.name,
        time_base=frame.time_base or Fraction(1, 25),  # frames are taken one by one: any will do
    )
    for name, arguments in (*turn, *TO_RGB):
        node = graph.add(name, arguments)
        last.link_to(node)
        last = node
    graph.configure()
    return graph
