import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox_anon.decoding import (
    AbstractSampling,
    EveryFrame,
    StridedSampling,
    UniformSampling,
)

lengths = st.integers(1, 3000)
wanted = st.integers(1, 64)


@given(lengths, wanted)
def test_uniform_runs_from_the_first_frame_to_the_last(num_frames: int, clip_frames: int) -> None:
    indices = UniformSampling(clip_frames).indices(num_frames)
    exact = np.linspace(0, num_frames - 1, clip_frames)
    assert len(indices) == clip_frames
    assert indices == sorted(indices)
    assert np.abs(np.array(indices) - exact).max() <= 0.5
    assert clip_frames == 1 or (indices[0], indices[-1]) == (0, num_frames - 1)


@given(lengths, wanted, st.integers(1, 9), st.floats(0, 1))
def test_strided_keeps_its_stride_and_its_window(
    num_frames: int, clip_frames: int, stride: int, position: float
) -> None:
    indices = StridedSampling(clip_frames, stride, position).indices(num_frames)
    steps = {(b - a) % num_frames for a, b in pairwise(indices)}
    assert len(indices) == clip_frames
    assert all(0 <= i < num_frames for i in indices)
    assert steps <= {stride % num_frames}
    if (clip_frames - 1) * stride < num_frames:
        assert indices == sorted(indices)  # no wrapping where the window fits
    else:
        assert indices[0] == 0  # a short clip is read from its start, and again


@given(lengths, wanted, st.integers(1, 9))
def test_strided_positions_reach_both_ends(num_frames: int, clip_frames: int, stride: int) -> None:
    window = (clip_frames - 1) * stride + 1
    first = StridedSampling(clip_frames, stride, 0).indices(num_frames)
    last = StridedSampling(clip_frames, stride, 1).indices(num_frames)
    assert first[0] == 0
    assert window > num_frames or last[-1] == num_frames - 1


@given(lengths)
def test_every_frame_is_every_frame(num_frames: int) -> None:
    assert EveryFrame().indices(num_frames) == list(range(num_frames))


def test_the_protocols_rules() -> None:
    assert UniformSampling().indices(164) == [0, 23, 47, 70, 93, 116, 140, 163]
    assert StridedSampling(16, 2).indices(31) == list(range(0, 31, 2))
    assert StridedSampling(16, 4).indices(61) == list(range(0, 61, 4))


@pytest.mark.parametrize("rule", [UniformSampling(3), StridedSampling(4, 2, 0.25), EveryFrame()])
def test_a_rule_is_a_value(rule: AbstractSampling) -> None:
    assert pickle.loads(pickle.dumps(rule)) == rule
    with pytest.raises(ValueError, match="num_frames: expected at least 1, found 0"):
        rule.indices(0)


def test_impossible_rules() -> None:
    with pytest.raises(ValueError, match="num_frames: expected at least 1, found 0"):
        UniformSampling(0)
    with pytest.raises(ValueError, match="stride: expected at least 1, found -1"):
        StridedSampling(16, -1)
    with pytest.raises(ValueError, match=r"position: expected 0 to 1, found 1\.5"):
        StridedSampling(16, 2, 1.5)
