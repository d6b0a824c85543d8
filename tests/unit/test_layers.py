"""The paper's parameter counts, the response norm, the bottleneck, and windows."""

import numpy as np
import pytest
import torch

from et_lite.adversary import (
    LatentDiscriminator,
    discriminator_loss,
    feature_matching_loss,
    generator_loss,
)
from et_lite.config import PAPER
from et_lite.layers import AdaLN, ConvNeXtStack, FourierFeatures, GlobalResponseNorm, Posterior
from et_lite.methods import build
from et_lite.methods.base import in_windows, window_starts


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_paper_preset_has_the_papers_parameters() -> None:
    with torch.device("meta"):
        method, judge = build(PAPER), LatentDiscriminator(PAPER.discriminator)
    assert count(method.encoder) == 25_468_032
    assert count(method.decoder) == 25_402_432
    assert count(method.encoder) + count(method.decoder) == 50_870_464
    assert count(method.encoder.blocks[0]) == 4_211_712
    assert count(method) == 50_870_464 + 511_808
    assert count(judge) == 5_512_194
    verdict, maps = judge(torch.empty(1, 64, 96, device="meta"))
    assert verdict.shape == (1, 64, 80) and len(maps) == 5


def test_response_norm_is_the_published_formula() -> None:
    norm, x = GlobalResponseNorm(6), torch.randn(2, 9, 6)
    assert torch.equal(norm(x), x)  # gains start at zero
    torch.nn.init.normal_(norm.gamma)
    torch.nn.init.normal_(norm.beta)
    energy = x.norm(dim=1, keepdim=True)
    expected = norm.gamma * x * energy / (energy.mean(-1, keepdim=True) + 1e-6) + norm.beta + x
    torch.testing.assert_close(norm(x), expected)


def test_a_channel_that_is_silent_all_along_has_finite_gradients() -> None:
    """GELU gives exactly zero far below zero, and a square root there has no slope."""
    stack = ConvNeXtStack(4, 4, 8, blocks=1)
    with torch.no_grad():
        stack.blocks[0].widen.bias[0] = -100
    stack(torch.randn(1, 4, 20)).sum().backward()
    assert all(p.grad.isfinite().all() for p in stack.parameters())


def test_stack_sees_its_receptive_field_and_no_more() -> None:
    stack = ConvNeXtStack(4, 4, 8, blocks=6, pooled=False)
    x = torch.randn(1, 4, 80, requires_grad=True)
    stack(x)[0, :, 40].sum().backward()
    seen = x.grad[0].abs().sum(0).nonzero().flatten()
    assert (seen.min(), seen.max()) == (40 - 18, 40 + 18)  # 6 · 6 + 1 = 37 frames


def test_posterior_and_its_divergence() -> None:
    features = torch.randn(2, 6, 5)
    posterior = Posterior.from_features(features)
    assert torch.equal(posterior.mean, features[:, :3])
    scale = torch.nn.functional.softplus(features[:, 3:]) + 1e-4
    torch.testing.assert_close(posterior.scale, scale)
    per_frame = (posterior.mean**2 + scale**2 - torch.log(scale**2) - 1).sum(1)
    torch.testing.assert_close(posterior.kl(), per_frame.mean())
    draws = [posterior.sample(torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


def test_adversarial_losses_are_least_squares_and_summed_maps() -> None:
    real, fake = torch.randn(4, 3), torch.randn(4, 3)
    expected = ((1 - real) ** 2).mean() + (fake**2).mean()
    torch.testing.assert_close(discriminator_loss(real, fake), expected)
    torch.testing.assert_close(generator_loss(fake), ((1 - fake) ** 2).mean())
    maps = [torch.rand(2, 3) + 1 for _ in range(3)]
    doubled = [2 * m for m in maps]
    assert feature_matching_loss(maps, doubled).item() == pytest.approx(3)  # a sum, not a mean


@pytest.mark.parametrize("frames", [1, 95, 96, 97, 143, 144, 500])
def test_windows_cover_every_frame_and_change_nothing_that_is_local(frames: int) -> None:
    x = torch.randn(1, 3, frames)
    sizes = []

    def double(piece: torch.Tensor) -> torch.Tensor:
        sizes.append(piece.shape[-1])
        return 2 * piece

    torch.testing.assert_close(in_windows(double, x, 96), 2 * x)
    assert set(sizes) == {min(frames, 96)}


@pytest.mark.parametrize("frames", [96, 97, 143, 144, 215, 500])
def test_windows_on_a_grid_cut_no_pair_apart(frames: int) -> None:
    starts = list(window_starts(frames, 96, 2)) if frames > 96 else [0]
    assert all(start % 2 == 0 for start in starts) and starts[-1] + 96 >= frames
    x = torch.randn(1, 3, -(-frames // 2)).repeat_interleave(2, -1)[..., :frames]
    first = in_windows(
        lambda piece: piece[..., ::2].repeat_interleave(2, -1)[..., : piece.shape[-1]], x, 96, 2
    )
    torch.testing.assert_close(first, x)


def test_conditioned_norm_starts_plain_and_takes_scale_and_shift_from_the_condition() -> None:
    norm, x, told = AdaLN(6, 4), torch.randn(2, 9, 6), torch.randn(2, 4)
    plain = torch.nn.functional.layer_norm(x, (6,), eps=1e-5)
    assert torch.equal(norm(x, told), plain)
    torch.nn.init.normal_(norm.modulate.weight)
    scale, shift = norm.modulate(told * told.sigmoid()).split(6, dim=-1)
    torch.testing.assert_close(norm(x, told), plain * (1 + scale[:, None]) + shift[:, None])


def test_fourier_features_are_cosines_and_sines_of_learned_frequencies() -> None:
    features, number = FourierFeatures(3, 5), torch.tensor([0.0, 0.3])
    waves = [f(2 * torch.pi * number[1] * features.frequencies) for f in (torch.cos, torch.sin)]
    torch.testing.assert_close(features(number)[1], features.mix(torch.cat(waves)))
    still = torch.tensor([1.0, 1, 1, 0, 0, 0])
    torch.testing.assert_close(features(number)[0], features.mix(still))
    assert features.frequencies.requires_grad


def test_window_starts_overlap_by_half_and_end_with_the_clip() -> None:
    starts = np.array(list(window_starts(500, 96)))
    assert starts[0] == 0 and starts[-1] == 404 and np.diff(starts).max() <= 48
