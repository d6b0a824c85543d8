"""The segmentation value: conversions, checks and the kept length."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from et_lite.segments import Segmentation, kept_length

lengths_lists = st.lists(st.integers(1, 40), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("frames", "keep", "kept"),
    [(10, 0.7, 7), (10, 0.5, 5), (97, 0.5, 49), (96, 1.0, 96), (1, 0.01, 1), (3, 1e-12, 1)],
)
def test_kept_length(frames: int, keep: float, kept: int) -> None:
    assert kept_length(frames, keep) == kept


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_kept_length_of_an_exact_fraction_is_that_length(frames: int, kept: int) -> None:
    kept = min(kept, frames)
    assert kept_length(frames, kept / frames) == kept


@pytest.mark.parametrize("keep", [0.0, -0.1, 1.0001, math.nan, math.inf])
def test_kept_length_names_a_fraction_out_of_range(keep: float) -> None:
    with pytest.raises(ValueError, match=rf"{keep} is not in \(0, 1\]"):
        kept_length(10, keep)


def test_kept_length_needs_a_frame() -> None:
    with pytest.raises(ValueError, match="0 frames"):
        kept_length(0, 0.5)


@given(lengths_lists)
def test_every_conversion_comes_back(lengths: list[int]) -> None:
    segmentation = Segmentation.from_lengths(lengths)
    assert segmentation.frames == sum(lengths)
    assert segmentation.kept == len(lengths)
    assert segmentation.max_offset == max(lengths) - 1
    assert segmentation.kept_fraction == len(lengths) / sum(lengths)
    assert Segmentation.from_anchors(segmentation.anchors, segmentation.frames) == segmentation
    assert Segmentation.from_offsets(segmentation.offsets) == segmentation
    assert segmentation.lengths.tolist() == lengths


@given(lengths_lists)
def test_offsets_count_up_from_every_anchor(lengths: list[int]) -> None:
    segmentation = Segmentation.from_lengths(lengths)
    assert segmentation.offsets.tolist() == [k for length in lengths for k in range(length)]
    assert np.flatnonzero(segmentation.offsets == 0).tolist() == segmentation.anchors.tolist()


@given(lengths_lists)
def test_side_information_counts_the_anchor_sets(lengths: list[int]) -> None:
    frames, kept = sum(lengths), len(lengths)
    bits = Segmentation.from_lengths(lengths).side_information_bits
    assert bits == pytest.approx(math.log2(math.comb(frames - 1, kept - 1)), rel=1e-9, abs=1e-9)
    assert bits >= 0


def test_the_example_of_the_docstrings() -> None:
    segmentation = Segmentation.from_anchors([0, 3, 4], 6)
    assert segmentation.lengths.tolist() == [3, 1, 2]
    assert segmentation.offsets.tolist() == [0, 1, 2, 0, 0, 1]
    assert segmentation.lengths.dtype == segmentation.offsets.dtype == np.int64
    assert segmentation.anchors.dtype == np.int64
    assert segmentation.side_information_bits == pytest.approx(math.log2(10))


def test_equality_is_by_lengths() -> None:
    one, same = Segmentation.from_lengths([2, 1]), Segmentation.from_offsets([0, 1, 0])
    assert one == same
    assert hash(one) == hash(same)
    assert one != Segmentation.from_lengths([1, 2])
    assert one != [2, 1]


def test_lengths_are_a_private_read_only_copy() -> None:
    mine = np.array([2, 3])
    segmentation = Segmentation(mine)
    mine[0] = 7
    assert segmentation.lengths.tolist() == [2, 3]
    with pytest.raises(ValueError, match="read-only"):
        segmentation.lengths[0] = 1


def test_check_max_offset() -> None:
    segmentation = Segmentation.from_lengths([1, 4])
    segmentation.check_max_offset(3)
    with pytest.raises(ValueError, match="3 frames past its anchor and the limit is 2"):
        segmentation.check_max_offset(2)


@pytest.mark.parametrize(
    "bad", [[], [0, 3], [2, -1], [1.0, 2.0], [[1, 2]], [True, True], 3, ["a"]], ids=str
)
def test_bad_lengths(bad: object) -> None:
    with pytest.raises(ValueError, match="[Ss]egment"):
        Segmentation.from_lengths(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("anchors", "frames", "message"),
    [
        ([1, 2], 5, "first anchor is frame 1"),
        ([0, 5], 5, "Anchor 5 lies outside"),
        ([0, 3, 3], 5, "Anchor 3 is followed by 3"),
        ([0, 3, 2], 5, "Anchor 3 is followed by 2"),
        ([0, 9, 2], 5, "Anchor 9 is followed by 2"),
        ([], 5, "Anchors must be"),
        ([0], 0, "outside a clip of 0 frames"),
    ],
)
def test_bad_anchors(anchors: list[int], frames: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Segmentation.from_anchors(anchors, frames)


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        ([1, 2], "Frame 0 has offset 1"),
        ([0, 2], "Frame 1 has offset 2 after 0; it must be 0 or 1"),
        ([0, 1, 1], "Frame 2 has offset 1 after 1"),
        ([0, -1], "Frame 1 has offset -1"),
        ([], "Offsets must be"),
        ([0.0, 1.0], "Offsets must be"),
    ],
)
def test_bad_offsets(offsets: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Segmentation.from_offsets(offsets)
