"""The control: frames at even distances, each held until the next."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from et_lite.codec import ElasticCodec
from et_lite.config import TrainingConfig
from et_lite.methods import ReBottleneck, build
from et_lite.segments import kept_length
from et_lite.training import Trainer, train


@pytest.fixture
def held(tiny) -> TrainingConfig:
    return replace(tiny, method="uniform_hold", selection=replace(tiny.selection, solver="uniform"))


@pytest.fixture
def method(held) -> ReBottleneck:
    return build(held)


def test_exactly_as_many_frames_are_kept_as_asked(method) -> None:
    for frames in (1, 2, 24, 97):
        path = method.path(torch.randn(8, frames))
        for kept in range(1, frames + 1):
            selection = path.at(kept)
            lengths = selection.segmentation.lengths
            assert selection.reached and len(lengths) == kept
            assert lengths.max() - lengths.min() <= 1  # evenly spaced


def test_dropped_frames_repeat_the_last_kept_one(method) -> None:
    z = torch.randn(8, 10)
    cut = method.path(z).at(4).segmentation
    assert cut.lengths.tolist() == [2, 3, 2, 3]
    rebuilt = method.unpack(method.pack(z, cut), torch.from_numpy(cut.lengths.copy()))
    assert torch.equal(rebuilt, z[:, [0, 0, 2, 2, 2, 5, 5, 7, 7, 7]])


def test_gradients_reach_kept_frames_as_often_as_they_are_heard(method) -> None:
    z = torch.randn(1, 8, 10, requires_grad=True)
    method.rebuild(z, [method.path(z[0]).at(4).segmentation]).sum().backward()
    assert z.grad[0, 0].tolist() == [2, 0, 3, 0, 0, 2, 0, 3, 0, 0]


def test_training_keeps_the_targets_and_has_no_predictor(method) -> None:
    x, targets = torch.randn(3, 8, 24), np.array([6, 12, 24])
    result = method.training_pass(x, targets, torch.Generator().manual_seed(0))
    assert result.kept_fraction == pytest.approx(targets.mean() / 24)
    assert result.auxiliary == {} and method.auxiliary_parameters() == []
    assert {name.split(".")[0] for name, _ in method.named_parameters()} == {"encoder", "decoder"}


def test_networks_are_those_of_elastic_time(held, tiny, method) -> None:
    own = {name: p.shape for name, p in method.named_parameters()}
    others = {name: p.shape for name, p in build(tiny).named_parameters()}
    # Neither a predictor nor the mark of what it predicted.
    assert own == {name: shape for name, shape in others.items() if "predict" not in name}


def test_trained_in_two_goes_it_is_what_it_is_in_one(held, store, tmp_path) -> None:
    whole = train(replace(held, steps=4), store, tmp_path).state_dict()
    first, second = (Trainer(replace(held, steps=4), store) for _ in range(2))
    for _ in range(2):
        first.step()
    second.load(first.state())
    for _ in range(2):
        losses = second.step()
    assert "rollout" not in losses and "replaced" not in losses
    for name, value in second.method.state_dict().items():
        assert torch.equal(value, whole[name]), name


def test_codec_takes_it_like_any_other(held, random_codec, tone) -> None:
    method = build(replace(held, frames=96))
    codec = ElasticCodec("hold", random_codec.autoencoder, method, 96, "d" * 64)
    for keep in (0.05, 0.3, 1.0):
        payload = codec.compress(tone, 44_100, keep)
        assert payload.kept == kept_length(payload.frames, keep) and payload.reached
        assert payload.solver == "uniform"
        assert codec.decompress(payload).shape == tone.shape


def test_other_solvers_are_refused_in_one_sentence(tiny, method) -> None:
    with pytest.raises(ValueError, match="solver 'dp' is not for uniform_hold.*'uniform'$"):
        method.path(torch.randn(8, 10), "dp")
    with pytest.raises(ValueError, match="solver 'greedy' is not for uniform_hold"):
        build(replace(tiny, method="uniform_hold"))
    assert method.path(torch.randn(8, 10), "uniform").floor == 1
