"""The cheap training step of Elastic Time against the plain one; what every method shares."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from et_lite import runs
from et_lite.config import LossConfig, TrainingConfig
from et_lite.layers import Posterior
from et_lite.methods import ReBottleneck, TrainingPass, build
from et_lite.segments import Segmentation
from et_lite.solvers import solve_rows
from et_lite.training import Trainer
from scripts.plain_step import PlainTrainer, plain_pass
from tests.unit.conftest import awake


def in_float64(config: TrainingConfig) -> ReBottleneck:
    """An Elastic Time whose networks compute in float64 throughout."""
    torch.manual_seed(0)
    method = build(config)
    channels = config.network.channels
    # The real networks compute a few statistics in float32.
    method.encoder = nn.Conv1d(channels, 2 * channels, 3, padding=1)
    method.decoder = nn.Conv1d(channels, channels, 3, padding=1)
    awake(method.predictor)

    def encode(x: torch.Tensor) -> Posterior:
        mean, raw = method.encoder(x).chunk(2, dim=1)
        return Posterior(mean, nn.functional.softplus(raw) + 1e-4)

    method.encode = encode
    return method.double()


def all_gradients(method: ReBottleneck, result: TrainingPass, x: torch.Tensor) -> dict:
    """Every parameter's gradient, by the two backward passes of the trainer; zeros for none."""
    method.zero_grad()
    # A second, uneven function of what is rebuilt stands for the discriminator.
    seen = 2 * (result.rebuilt - x).square().mean() + result.rebuilt.sin().mean()
    (seen + 1e-4 * result.kl).backward(retain_graph=True)
    torch.stack(list(result.auxiliary.values())).sum().backward(
        inputs=method.auxiliary_parameters()
    )
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for name, p in method.named_parameters()
    }


@pytest.mark.parametrize("solver", ["greedy", "dp"])
@pytest.mark.parametrize("cap", [1, 5, 12])
@pytest.mark.parametrize("frames", [1, 3, 24])
def test_cheap_step_has_the_gradients_of_the_plain_one(tiny, solver, cap, frames) -> None:
    selection = replace(tiny.selection, solver=solver, max_offset=cap)
    method = in_float64(replace(tiny, selection=selection, loss=LossConfig(horizon=5)))
    x = torch.randn(3, 8, frames, dtype=torch.float64).cumsum(-1)
    x[0, :, 1:] = 0  # invites long segments
    targets = np.maximum(1, np.array([frames // 4, frames // 2, frames]))
    found = []
    for run in (plain_pass, type(method).training_pass):
        result = run(method, x, targets, torch.Generator().manual_seed(3))
        found.append((result, all_gradients(method, result, x)))
    (plain, expected), (cheap, got) = found
    torch.testing.assert_close(cheap.rebuilt, plain.rebuilt, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(cheap.auxiliary, plain.auxiliary, rtol=1e-9, atol=1e-12)
    assert cheap.kept_fraction == pytest.approx(plain.kept_fraction)
    for name, gradient in expected.items():
        scale = gradient.abs().max().item()
        torch.testing.assert_close(got[name], gradient, rtol=1e-9, atol=1e-9 * scale + 1e-18)
    if frames == 24:
        assert all(gradient.abs().max() > 0 for gradient in got.values())


def gradients_seen(trainer: Trainer) -> list[torch.Tensor]:
    """The gradients that a trainer's optimisers are going to see, in the order of their steps."""
    seen: list[torch.Tensor] = []

    def note(optimiser: torch.optim.Optimizer, *_: object) -> None:
        groups = optimiser.param_groups
        seen.extend(p.grad.clone() for group in groups for p in group["params"])

    for optimiser in (trainer.against, *trainer.main):
        optimiser.register_step_pre_hook(note)
    return seen


@pytest.mark.parametrize("system", ["et-greedy", "et-dp"])
def test_whole_step_is_the_plain_one(
    tiny_of: Callable[[str], TrainingConfig], store, system, monkeypatch
) -> None:
    monkeypatch.setattr(runs, "has_bf16", lambda kind: False)
    cheap, plain = Trainer(tiny_of(system), store), PlainTrainer(tiny_of(system), store)
    for _ in range(3):  # away from weights that are zero at first
        cheap.step()
    plain.load(deepcopy(cheap.state()))
    got, expected = gradients_seen(cheap), gradients_seen(plain)
    torch.testing.assert_close(cheap.step(), plain.step(), rtol=1e-5, atol=1e-8)
    assert len(got) == len(expected) > 0
    for ours, theirs in zip(got, expected, strict=True):
        scale = theirs.abs().max().item()
        assert scale > 0
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * scale)


def rows_to_choose(method: ReBottleneck, z: torch.Tensor, targets: np.ndarray) -> list[int]:
    """The rows of each step that choosing frames takes; its choice must be the whole table's."""
    step, rows = method.predictor.step, []

    def counted(frame, state=None):
        rows.append(len(frame))
        return step(frame, state)

    method.predictor.step = counted
    _, segmentations = method._choose(z, targets)
    method.predictor.step = step
    with torch.no_grad():
        costs = np.stack([method.costs(clip) for clip in z])
    whole = solve_rows(method.config.selection.solver, costs, targets)
    assert segmentations == [selection.segmentation for selection in whole]
    return rows


def test_greedy_takes_the_long_table_only_of_clips_where_a_segment_fills_the_short_one(
    tiny,
) -> None:
    method = build(tiny)
    nn.init.zeros_(method.predictor.leave.weight)
    nn.init.zeros_(method.predictor.leave.bias)
    noise, silence, short = torch.randn(2, 8, 24), torch.zeros(2, 8, 24), [2 * 24] * 5
    assert rows_to_choose(method, noise, np.array([20, 22])) == short
    assert rows_to_choose(method, silence, np.array([20, 20])) == short  # four replaced frames
    # Five replaced frames fill the table of one of the clips.
    assert rows_to_choose(method, silence, np.array([20, 19])) == short + [24] * 12
    assert rows_to_choose(method, silence, np.array([12, 16])) == short + [2 * 24] * 12
    exact = build(replace(tiny, selection=replace(tiny.selection, solver="dp")))
    assert rows_to_choose(exact, noise, np.array([20, 22])) == [2 * 24] * 12


@pytest.mark.parametrize("name", ["elastic_time", "uniform_hold"])
def test_a_batch_comes_back_as_its_clips_do(tiny, name) -> None:
    selection = replace(tiny.selection, solver="uniform")
    method = build(replace(tiny, method=name, selection=selection))
    z = torch.randn(3, 8, 7)
    cuts = [Segmentation.from_lengths(lengths) for lengths in ([7], [1] * 7, [2, 1, 4])]
    with torch.no_grad():
        whole = method.rebuild(z, cuts)
        for clip, cut, got in zip(z, cuts, whole, strict=True):
            alone = method.unpack(method.pack(clip, cut), torch.from_numpy(cut.lengths.copy()))
            torch.testing.assert_close(got, alone)
            assert torch.equal(got[:, cut.anchors], clip[:, cut.anchors])


@pytest.mark.parametrize("name", ["elastic_time", "uniform_hold"])
def test_frames_that_were_dropped_do_not_leak(tiny, name) -> None:
    selection = replace(tiny.selection, solver="uniform")
    method = build(replace(tiny, method=name, selection=selection))
    cut = Segmentation.from_lengths([3, 1, 4, 2])
    z = torch.randn(1, 8, 10)
    changed = torch.randn(1, 8, 10)
    changed[:, :, cut.anchors.copy()] = z[:, :, cut.anchors.copy()]
    with torch.no_grad():
        assert torch.equal(method.rebuild(z, [cut]), method.rebuild(changed, [cut]))


def test_the_decoder_is_told_which_frames_were_predicted(tiny) -> None:
    torch.manual_seed(0)
    method = build(tiny)
    z = torch.randn(2, 8, 6)
    cuts = [Segmentation([1, 3, 2]), Segmentation([6])]
    added = method.mark(z, cuts) - z
    for clip, cut in zip(added, cuts, strict=True):
        for frame, offset in zip(clip.T, cut.offsets, strict=True):
            wanted = method.predicted if offset else torch.zeros(8)
            torch.testing.assert_close(frame, wanted)
    plain = build(replace(tiny, marked=False))
    assert plain.predicted is None and plain.mark(z, cuts) is z
    assert not any("predicted" in name for name in plain.state_dict())


def test_training_and_codec_mark_alike(tiny, random_codec, store) -> None:
    """What the decoder is given in training is what it is given of a payload."""
    method, (x,) = random_codec.method, (torch.randn(1, 8, 24),)
    with torch.no_grad():
        z = method.encode(x).mean
        cut = method.path(z[0]).at(12).segmentation
        wanted = method.decode(method.mark(method.rebuild(z, [cut]), [cut]))
        lengths = torch.from_numpy(cut.lengths.copy())
        random_codec.window = 24
        torch.testing.assert_close(random_codec.latents(method.pack(z[0], cut), lengths), wanted)
        assert not torch.allclose(wanted, method.decode(method.rebuild(z, [cut])))
