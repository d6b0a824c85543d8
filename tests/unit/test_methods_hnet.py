"""H-Net's routing, smoothing, ratio loss and straight-through gradient; YOTO's condition."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from et_lite.codec import ElasticCodec
from et_lite.methods import build
from et_lite.methods.hnet import HNet, ratio_loss, smooth, straight_through
from et_lite.methods.hnet_yoto import HNetYoto


@pytest.fixture
def method(tiny_of) -> HNet:
    torch.manual_seed(0)
    return build(tiny_of("hnet@0.5"))


@pytest.fixture
def told(tiny_of) -> HNetYoto:
    torch.manual_seed(0)
    method = build(replace(tiny_of("hnet-yoto"), frames=96))
    for name, parameter in method.named_parameters():
        if "modulate" in name or "narrow" in name:  # zero at the start
            torch.nn.init.normal_(parameter, std=0.1)
    return method


def test_chance_is_half_of_one_minus_the_cosine(method) -> None:
    z, router = torch.randn(2, 8, 7), method.router
    chance = router(z)
    assert torch.equal(chance[:, 0], torch.ones(2))
    assert (router.query.out_features, router.key.out_features) == (16, 16)
    for clip in range(2):
        for t in range(1, 7):
            q, k = router.query(z[clip, :, t]), router.key(z[clip, :, t - 1])
            expected = (1 - q @ k / (q.norm() * k.norm())) / 2
            torch.testing.assert_close(chance[clip, t], expected)


@pytest.mark.parametrize("frames", [1, 2, 7, 96])
def test_smoothing_is_the_recurrence_with_its_gradients(frames) -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(2, 3, frames, dtype=torch.float64, generator=generator).requires_grad_()
    chance = torch.rand(2, frames, dtype=torch.float64, generator=generator)
    chance = (chance * (chance > 0.5)).index_fill(1, torch.tensor([0]), 1.0).requires_grad_()
    rows = [z[..., 0]]
    for t in range(1, frames):
        w = chance[:, t, None]
        rows.append((1 - w) * rows[-1] + w * z[..., t])
    plain, probe = torch.stack(rows, dim=-1), torch.randn(2, 3, frames, dtype=torch.float64)
    expected = torch.autograd.grad((plain * probe).sum(), (z, chance), allow_unused=True)
    got = torch.autograd.grad((smooth(z, chance) * probe).sum(), (z, chance))
    torch.testing.assert_close(smooth(z, chance), plain)
    torch.testing.assert_close(got[0], expected[0])
    if frames > 1:  # the weight of frame 0 is one, and no chance at all
        torch.testing.assert_close(got[1][:, 1:], expected[1][:, 1:])


@pytest.mark.parametrize("keep", [0.25, 0.5, 0.9])
def test_ratio_loss_is_the_published_formula(keep) -> None:
    chance = torch.tensor([[1.0, 0.9, 0.2, 0.1]], requires_grad=True)
    starts = chance > 0.5
    f, g, n = 0.5, 0.55, 4 / min(round(4 * keep), 3)
    expected = n / (n - 1) * ((n - 1) * f * g + (1 - f) * (1 - g))
    loss = ratio_loss(chance, starts, torch.tensor([keep]))
    assert loss.item() == pytest.approx(expected)
    loss.backward()  # through the mean chance alone
    slope = n / (n - 1) * ((n - 1) * f - (1 - f)) / 4
    torch.testing.assert_close(chance.grad, torch.full((1, 4), slope))


def test_ratio_loss_is_one_where_the_share_is_right_and_sure() -> None:
    chance = torch.tensor([[1.0, 0, 0, 1], [1, 0, 0, 0]])
    keep = torch.tensor([0.5, 0.25])
    assert ratio_loss(chance, chance > 0.5, keep).item() == pytest.approx(1)
    assert ratio_loss(torch.ones(1, 1), torch.ones(1, 1) > 0, torch.ones(1)).item() == 1


def test_confidence_is_one_and_passes_its_gradient(method) -> None:
    sure = torch.rand(5, requires_grad=True)
    one = straight_through(sure)
    assert torch.equal(one, torch.ones(5))
    (one * torch.arange(5.0)).sum().backward()
    assert torch.equal(sure.grad, torch.arange(5.0))


def test_training_decodes_the_smoothed_latents_as_they_are(method) -> None:
    x, seen = torch.randn(3, 8, 24), []
    method.decoder.register_forward_pre_hook(lambda part, given: seen.append(given[0]))
    result = method.training_pass(x, np.full(3, 12.0), torch.Generator().manual_seed(1))
    z = method.encode(x).sample(torch.Generator().manual_seed(1))
    chance = method.router(z)
    starts = chance > 0.5
    assert torch.equal(seen[0], smooth(z, chance * starts))
    assert result.kept_fraction == pytest.approx(starts.float().mean().item())
    share = ratio_loss(chance, starts, torch.full((3,), 0.5))
    torch.testing.assert_close(result.terms["ratio"], 0.75 * share)
    # The confidence's own gradient, (gradient of the output) · output summed over channels, is
    # what the router's bias would miss without it.
    probe = torch.randn_like(seen[0])
    with_it, without = (
        torch.autograd.grad((probe * mixed).sum(), method.router.query.bias, retain_graph=True)[0]
        for mixed in (seen[0], smooth(z, chance * starts))
    )
    sure = torch.where(starts, chance, 1 - chance)
    own = (sure * (probe * seen[0]).sum(1).detach()).sum()
    extra = torch.autograd.grad(own, method.router.query.bias)[0]
    torch.testing.assert_close(with_it, without + extra, rtol=1e-4, atol=1e-5)


def test_every_length_is_met_by_the_likeliest_boundaries(method) -> None:
    z = torch.randn(8, 24)
    chance = method.router(z[None])[0].detach()
    path = method.path(z)
    for kept in range(1, 25):
        anchors = path.at(kept).segmentation.anchors
        likeliest = chance[1:].topk(kept - 1).indices + 1
        assert set(anchors.tolist()) == {0, *likeliest.tolist()}
        assert path.at(kept).reached
    silent = method.path(torch.zeros(8, 24))  # equal chances: the earliest stay
    assert silent.at(5).segmentation.anchors.tolist() == [0, 1, 2, 3, 4]


def test_what_is_sent_is_smoothed_over_the_boundaries_chosen(method) -> None:
    z = torch.randn(8, 24)
    cut = method.path(z).at(9).segmentation
    chance, smoothed = method.router(z[None])[0], z[:, 0]
    expected = [smoothed]
    for t in cut.anchors[1:]:
        smoothed = (1 - chance[t]) * smoothed + chance[t] * z[:, t]
        expected.append(smoothed)
    torch.testing.assert_close(method.pack(z, cut), torch.stack(expected, dim=1))


def test_yoto_draws_a_fraction_a_clip_and_steers_for_it(told) -> None:
    drawn = told.draw_targets(np.random.default_rng(0), 4000, 96) / 96
    assert 0.5 <= drawn.min() < 0.51 and 0.985 < drawn.max() <= 0.995
    assert drawn.mean() == pytest.approx(0.7475, abs=0.01)


def test_yotos_condition_changes_latents_and_decoding(told) -> None:
    x, keeps = torch.randn(1, 8, 24), [torch.tensor([k]) for k in (0.5, 0.9)]
    with torch.no_grad():
        latents = [told.encode(x, keep).mean for keep in keeps]
        assert (latents[0] - latents[1]).abs().max() > 0.01
        rebuilt = [told.decode(latents[0], keep) for keep in keeps]
        assert (rebuilt[0] - rebuilt[1]).abs().max() > 0.01
    with pytest.raises(ValueError, match="needs kept fractions"):
        told.encode(x)
    with pytest.raises(ValueError, match="needs kept fractions"):
        told.decode(x)


def test_yoto_is_told_the_rate_on_both_sides(told, random_codec, tone) -> None:
    codec, seen = ElasticCodec("yoto", random_codec.autoencoder, told, 96, "f" * 64), []
    told.condition.register_forward_pre_hook(lambda part, given: seen.append(given[0].item()))
    analysis = codec.analyse(tone, 44_100, keep=0.5)
    for keep in (0.5, 0.75):
        seen.clear()
        payload = codec.pack(analysis, keep)
        assert len(seen) == (0 if keep == 0.5 else 2)  # each stream anew, unless it is that rate
        codec.decompress(payload)
        assert seen == pytest.approx([payload.kept / payload.frames] * len(seen))
    assert codec.at(analysis, 0.5) is analysis
    other = codec.at(analysis, 0.75)
    assert not torch.equal(other.latents, analysis.latents)
    plain = F.l1_loss(codec.at(other, 0.5).latents, analysis.latents)
    assert plain == 0
