"""Half the frames, by a convolution: the count, the convolutions, the pairs."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from et_lite.codec import ElasticCodec
from et_lite.methods import ReBottleneck, build
from et_lite.methods.conv_downsample import Doubling, Halving


@pytest.fixture
def method(tiny_of) -> ReBottleneck:
    return build(tiny_of("conv-downsample"))


@pytest.mark.parametrize("frames", [1, 2, 23, 24, 97])
def test_half_the_frames_rounded_up_are_kept_and_no_other_number(method, frames) -> None:
    path = method.path(torch.randn(8, frames))
    half = (frames + 1) // 2
    assert path.floor == half
    for asked in range(1, frames + 1):
        selection = path.at(asked)
        assert selection.segmentation.lengths.tolist() == [2] * (frames // 2) + [1] * (frames % 2)
        assert selection.requested == asked and selection.reached == (asked == half)
    with pytest.raises(ValueError, match=f"not in 1 to {frames}"):
        path.at(frames + 1)


@pytest.mark.parametrize("frames", [1, 2, 23, 24])
def test_networks_run_at_half_rate_and_lose_no_frame(method, frames) -> None:
    seen = []
    method.decoder.register_forward_hook(lambda part, x, y: seen.append((x[0].shape, y.shape)))
    x = torch.randn(2, 8, frames)
    with torch.no_grad():
        posterior = method.encode(x)
        rebuilt = method.decode(posterior.mean)
    assert posterior.mean.shape == rebuilt.shape == x.shape
    assert seen == [((2, 8, (frames + 1) // 2), (2, 8, 2 * ((frames + 1) // 2)))]
    pairs = posterior.mean[..., : frames // 2 * 2].unflatten(-1, (-1, 2))
    assert torch.equal(pairs[..., 0], pairs[..., 1])


def test_a_clip_of_odd_length_is_the_clip_that_repeats_its_last_frame(method) -> None:
    x = torch.randn(1, 8, 23)
    with torch.no_grad():
        longer = method.encode(torch.cat([x, x[..., -1:]], dim=-1)).mean
        assert torch.equal(method.encode(x).mean, longer[..., :23])


def test_only_one_frame_of_a_pair_is_sent_and_the_other_is_not_missed(method) -> None:
    z = torch.randn(8, 23)
    cut = method.path(z).at(12).segmentation
    anchors = method.pack(z, cut)
    assert torch.equal(anchors, z[:, ::2])
    with torch.no_grad():
        rebuilt = method.decode(method.unpack(anchors, torch.from_numpy(cut.lengths.copy()))[None])
        assert torch.equal(rebuilt, method.decode(z[None]))


def test_layers_are_the_two_convolutions() -> None:
    x = torch.randn(2, 10, 3)
    layer = nn.Linear(3, 5)
    half, double = Halving(layer), Doubling(layer)
    paired = x.unflatten(1, (-1, 2)).mean(dim=2)
    torch.testing.assert_close(half(x), layer(paired))  # before training
    torch.testing.assert_close(double(x), layer(x).repeat_interleave(2, dim=1))
    for module in (half, double):
        nn.init.normal_(module.mix.weight)
    kernel = half.mix.weight.view(5, 3, 4)
    expected = F.conv1d(x.transpose(1, 2), kernel, half.mix.bias, stride=2, padding=1)
    torch.testing.assert_close(half(x), expected.transpose(1, 2))
    kernel = double.mix.weight.view(5, 3, 4).flip(-1).transpose(0, 1)
    expected = F.conv_transpose1d(x.transpose(1, 2), kernel, double.mix.bias, stride=2, padding=1)
    torch.testing.assert_close(double(x), expected.transpose(1, 2))


def test_windows_of_a_long_file_cut_no_pair_apart(method, random_codec) -> None:
    codec = ElasticCodec("half", random_codec.autoencoder, method, 96, "c" * 64)
    wave = np.random.default_rng(0).normal(size=220_000) / 10
    z = codec.analyse(wave, 22_050).latents
    assert z.shape[-1] == 215
    assert torch.equal(z[..., :-1:2], z[..., 1::2])


def test_training_always_keeps_half(method) -> None:
    x = torch.randn(3, 8, 24)
    targets = method.draw_targets(np.random.default_rng(0), 3, 24)
    result = method.training_pass(x, targets, torch.Generator().manual_seed(0))
    assert result.kept_fraction == 0.5 and result.auxiliary == result.terms == {}


def test_other_solvers_are_refused(method) -> None:
    with pytest.raises(ValueError, match="solver 'dp' is not for conv_downsample.*'stride'$"):
        method.path(torch.randn(8, 10), "dp")
