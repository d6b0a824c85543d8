"""CodecSlime: the cost of a segment, the exact choice, and the two stages of training."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from et_lite.methods import build
from et_lite.methods.codecslime import CodecSlime, melted
from et_lite.training import Trainer

LONGEST = 4


@pytest.fixture
def method(tiny_of) -> CodecSlime:
    return build(tiny_of("codecslime"))


def segment_cost(frames: np.ndarray) -> float:
    """Sum of the distances of frames (L, C) to their mean, not squared."""
    return float(np.linalg.norm(frames - frames.mean(0), axis=1).sum())


def literal(frames: np.ndarray) -> dict[int, tuple[float, list[int]]]:
    """The released recursion over (segments, end) on (T, C), as it is written down."""
    total = len(frames)
    best = {(0, 0): (0.0, [])}
    for count, end in product(range(1, total + 1), range(1, total + 1)):
        for length in range(1, LONGEST + 1):  # only a lower cost replaces: the shortest stays
            if (before := best.get((count - 1, end - length))) is None:
                continue
            cost = before[0] + segment_cost(frames[end - length : end])
            if (count, end) not in best or cost < best[count, end][0] - 1e-6:
                best[count, end] = (cost, [*before[1], length])
    return {count: best[count, total] for count in range(1, total + 1) if (count, total) in best}


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 9, 24])
def test_choice_is_the_literal_recursions(method, frames) -> None:
    z = torch.randn(8, frames, generator=torch.Generator().manual_seed(frames)).cumsum(-1)
    z[:, frames // 2 :] = z[:, frames // 2 :].round()  # some ties
    path, expected = method.path(z), literal(z.t().double().numpy())
    assert path.floor == min(expected) == -(-frames // LONGEST)
    for kept, (cost, lengths) in expected.items():
        selection = path.at(kept)
        assert selection.segmentation.lengths.tolist() == lengths
        assert selection.cost == pytest.approx(cost, rel=1e-5, abs=1e-5)


def test_cost_is_the_least_of_all_segmentations(method) -> None:
    z = torch.randn(8, 9)
    frames, least = z.t().double().numpy(), dict.fromkeys(range(1, 10), np.inf)
    for inner in product((False, True), repeat=8):
        edges = [0, *(np.flatnonzero(inner) + 1).tolist(), 9]
        if np.diff(edges).max() <= LONGEST:
            cost = sum(segment_cost(frames[a:b]) for a, b in zip(edges, edges[1:], strict=False))
            least[len(edges) - 1] = min(least[len(edges) - 1], cost)
    path = method.path(z)
    for kept in range(3, 10):
        assert path.at(kept).cost == pytest.approx(least[kept], rel=1e-5, abs=1e-6)
    assert not path.at(2).reached


def test_of_equal_choices_the_last_segment_is_shortest(method) -> None:
    path = method.path(torch.ones(8, 10))
    assert path.at(5).segmentation.lengths.tolist() == [4, 3, 1, 1, 1]
    assert method.path(torch.ones(8, 10), "dp").at(5).segmentation.lengths.tolist() == [
        1,
        1,
        1,
        3,
        4,
    ]


def test_a_segment_becomes_its_mean(method) -> None:
    z = torch.randn(8, 10, requires_grad=True)
    cut = method.path(z.detach()).at(4).segmentation
    anchors = method.pack(z, cut)
    for place, (start, length) in enumerate(zip(cut.anchors, cut.lengths, strict=True)):
        torch.testing.assert_close(anchors[:, place], z[:, start : start + length].mean(-1))
    anchors.sum().backward()
    shares = np.repeat(1 / cut.lengths, cut.lengths)
    torch.testing.assert_close(z.grad[0], torch.from_numpy(shares).float())


@pytest.mark.parametrize(
    ("passed", "kept"), [(0.0, 0.943), (0.25, 0.71), (0.5, 0.56), (0.75, 0.47), (1.0, 0.396)]
)
def test_melt_grows_the_segments_as_the_released_schedule_does(method, passed, kept) -> None:
    numbers, settings = np.random.default_rng(0), method.config.codecslime
    drawn = [melted(numbers, 96, passed, settings) for _ in range(600)]
    assert all(lengths.sum() == 96 and lengths.min() >= 1 for lengths in drawn)
    assert max(lengths.max() for lengths in drawn) == LONGEST
    assert np.mean([len(lengths) / 96 for lengths in drawn]) == pytest.approx(kept, abs=0.01)
    if passed == 1:
        spread = np.std([len(lengths) / 96 for lengths in drawn])
        assert spread == pytest.approx(0.027, abs=0.006)


def test_melt_leaves_half_the_clips_whole_and_cool_asks_for_half_the_frames(method) -> None:
    offsets = method.draw_targets(np.random.default_rng(0), 2000, 96, progress=0.39)
    assert offsets.shape == (2000, 96)
    assert (offsets == 0).all(axis=1).mean() == pytest.approx(0.5, abs=0.04)
    cool = method.draw_targets(np.random.default_rng(0), 5, 96, progress=0.4)
    assert cool.tolist() == [48] * 5
    x = torch.randn(5, 8, 96)
    for targets, kept in ((offsets[:5], (offsets[:5] == 0).mean()), (cool, 0.5)):
        result = method.training_pass(x, targets, torch.Generator().manual_seed(0))
        assert result.kept_fraction == pytest.approx(kept)


def test_cool_freezes_the_encoder_and_starts_everything_else_anew(tiny_of, store) -> None:
    config = replace(tiny_of("codecslime"), steps=10)
    trainer = Trainer(config, store)
    for _ in range(4):
        trainer.step()
    judge, main = trainer.discriminator, trainer.main
    before = {name: value.clone() for name, value in trainer.method.state_dict().items()}
    assert [o.param_groups[0]["lr"] for o in main] == [1e-3, 1e-4]
    for _ in range(6):
        trainer.step()
        assert all(p.grad is None for p in trainer.method.encoder.parameters())
    after = trainer.method.state_dict()
    assert all(torch.equal(before[n], after[n]) for n in before if n.startswith("encoder."))
    assert not any(torch.equal(before[n], after[n]) for n in before if n.startswith("decoder."))
    assert trainer.discriminator is not judge and trainer.main is not main
    assert [o.param_groups[0]["lr"] for o in trainer.main] == [5e-4, 5e-5]
    assert trainer.against.param_groups[0]["lr"] == 1e-4
    counts = {s["step"].item() for s in trainer.against.state_dict()["state"].values()}
    assert counts == {6}


def test_a_cosine_falls_once_a_stage(tiny_of, store) -> None:
    optimiser = replace(tiny_of("codecslime").optimiser, cosine=True)
    trainer = Trainer(replace(tiny_of("codecslime"), steps=10, optimiser=optimiser), store)
    rates = []
    for _ in range(10):
        trainer.step()
        rates.append(trainer.main[0].param_groups[0]["lr"])
    expected = [1e-3 * (1 + np.cos(np.pi * i / 4)) / 2 for i in range(4)]
    expected += [5e-4 * (1 + np.cos(np.pi * i / 6)) / 2 for i in range(6)]
    assert rates == pytest.approx(expected)
