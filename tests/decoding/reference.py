"""What ``ffmpeg`` decodes, frame after frame: the program if it is installed, else its library."""

import re
import shutil
import subprocess
from pathlib import Path

import av
import numpy as np

FFMPEG = shutil.which("ffmpeg")


def in_order(path: Path) -> np.ndarray:
    """All frames ``(T, H, W, 3)`` in order, with nothing of the package involved."""
    return by_program(path) if FFMPEG else by_library(path)


def by_program(path: Path) -> np.ndarray:
    """The program's frames; one PPM each, which tells their size."""
    command = [FFMPEG or "ffmpeg", "-v", "error", "-i", str(path), "-fps_mode", "passthrough"]
    output = ["-f", "image2pipe", "-c:v", "ppm", "-pix_fmt", "rgb24", "-"]
    data = subprocess.run([*command, *output], capture_output=True, check=True).stdout
    frames, position = [], 0
    while position < len(data):
        header = re.compile(rb"P6\s(\d+) (\d+)\s255\s").match(data, position)
        assert header, f"{path}: not a PPM at byte {position}"
        width, height = int(header[1]), int(header[2])
        position = header.end() + 3 * width * height
        pixels = np.frombuffer(data[header.end() : position], np.uint8)
        frames.append(pixels.reshape(height, width, 3))
    return np.stack(frames)


def by_library(path: Path) -> np.ndarray:
    """The library's decoder and its filters, driven from here."""
    frames = []
    with av.open(str(path), metadata_errors="replace") as container:
        stream = container.streams.best("video")
        assert stream is not None
        graph = None
        for frame in container.decode(stream):
            graph = graph or _to_rgb(frame)
            graph.push(frame)
            frames.append(graph.pull().to_ndarray())
    return np.stack(frames)


def _to_rgb(frame: "av.VideoFrame") -> "av.filter.Graph":
    turns = {0: [], 90: [("transpose", "cclock")], -90: [("transpose", "clock")]}
    turns |= {180: [("hflip", ""), ("vflip", "")], -180: [("hflip", ""), ("vflip", "")]}
    graph = av.filter.Graph()
    last = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format.name, time_base=frame.time_base
    )
    scale = ("scale", "flags=bicubic:interl=0")
    for name, arguments in [*turns[frame.rotation], scale, ("format", "rgb24"), ("buffersink", "")]:
        node = graph.add(name, arguments)
        last.link_to(node)
        last = node
    graph.configure()
    return graph
