"""Other autoencoders: sound in pieces, its channels, and back through a codec."""

import diffusers
import numpy as np
import pytest
import torch
import transformers

from et_lite.payload import ElasticPayload
from tests.unit.autoencoders.small import KINDS, codec_of, every_kind, noise


@every_kind
@pytest.mark.parametrize("frames", [1, 7, 8, 9, 41])
def test_pieces_equal_the_whole_file(load, kind, frames) -> None:
    whole, cut = load(kind), load(kind, piece=8)
    wave = noise(whole, frames, less=5)
    latents = whole.encode(wave)
    assert latents.mean.shape == latents.scale.shape == (1, whole.channels, frames)
    sound = whole.decode(latents.mean)
    assert sound.shape == (len(wave), frames * whole.hop)
    again = cut.encode(wave)
    pairs = [(latents.mean, again.mean), (latents.scale, again.scale)]
    for a, b in (*pairs, (sound, cut.decode(latents.mean))):
        assert (a - b).norm() <= 1e-5 * a.norm()  # −100 dB


@every_kind
def test_pieces_bring_exactly_the_frames_that_they_depend_on(load, kind) -> None:
    autoencoder, frames, here = load(kind), 24, 12
    hop, context = autoencoder.hop, autoencoder.layout.context
    encoder, decoder = autoencoder.encoder.double(), autoencoder.decoder.double()
    wave = noise(autoencoder, frames).double()[None].requires_grad_()
    features = encoder(wave)
    (slope,) = torch.autograd.grad(features[..., here].sum(), wave)
    reached = slope.abs().sum(dim=(0, 1)).nonzero() // hop - here
    before, after = int(-reached.min()), int(reached.max())
    width = autoencoder.before(torch.zeros(1, autoencoder.channels, 1)).shape[1]
    latents = torch.randn(1, width, frames, dtype=torch.float64, requires_grad=True)
    sound = decoder(latents)[..., here * hop : (here + 1) * hop]
    (slope,) = torch.autograd.grad(sound.sum(), latents)
    reached = slope.abs().sum(dim=(0, 1)).nonzero() - here
    assert max(before, after, int(-reached.min()), int(reached.max())) == context


@torch.no_grad()
def test_latents_and_sound_are_the_librarys_own(load, folders) -> None:
    stable, dac, encodec = map(load, KINDS)
    network = diffusers.AutoencoderOobleck.from_pretrained(folders / "stable-audio-open" / "vae")
    wave = noise(stable, 3)
    told, found = network.encode(wave[None]).latent_dist, stable.encode(wave)
    torch.testing.assert_close(found.mean, told.mean, atol=0, rtol=0)
    torch.testing.assert_close(found.scale, told.std, atol=0, rtol=0)
    sound = network.decode(told.mean).sample[0]
    torch.testing.assert_close(stable.decode(found.mean), sound, atol=0, rtol=0)
    for autoencoder, model in ((dac, transformers.DacModel), (encodec, transformers.EncodecModel)):
        network = model.from_pretrained(folders / autoencoder.name).eval()
        wave = noise(autoencoder, 5)
        latents = network.encoder(wave[None])
        torch.testing.assert_close(autoencoder.encode(wave).mean, latents)
        assert not autoencoder.encode(wave).scale.any()
        torch.testing.assert_close(autoencoder.decode(latents), network.decoder(latents)[0])


def test_channels_that_are_coded_together(load) -> None:
    stereo = load("stable-audio-open")
    wave = noise(stereo, 3)
    four = stereo.encode(torch.cat([wave, wave.flip(0)]))
    assert four.mean.shape == (2, 4, 3)
    assert torch.equal(four.mean[:1], stereo.encode(wave).mean)
    assert not torch.equal(four.mean[0], four.mean[1])
    one = stereo.encode(wave[:1])
    assert torch.equal(one.mean, stereo.encode(wave[:1].expand(2, -1)).mean)
    assert stereo.decode(four.mean).shape == (4, wave.shape[-1])
    with pytest.raises(ValueError, match="has 3 channels and stable-audio-open codes 2 together"):
        stereo.encode(torch.zeros(3, 5))


@every_kind
@pytest.mark.parametrize(("rate", "samples"), [(44_100, 30_011), (48_000, 20_003), (24_000, 1)])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_sound_comes_back_with_its_rate_channels_and_length(
    load, tmp_path, kind, channels, rate, samples
) -> None:
    codec = codec_of(load(kind, piece=16))
    wave = np.random.default_rng(0).normal(size=(channels, samples)).astype("float32") / 8
    payload = codec.compress(wave, rate, 0.5)
    assert payload.kept == -(-payload.frames // 2)
    assert len(payload.anchors) == (1 if kind == "stable-audio-open" else channels)
    payload.save(tmp_path / "a.etp", "float32")
    again = ElasticPayload.load(tmp_path / "a.etp")
    assert again.sound_channels == payload.sound_channels
    rebuilt = codec.decompress(again)
    assert rebuilt.shape == wave.shape and np.isfinite(rebuilt).all()
    np.testing.assert_array_equal(rebuilt, codec.decompress(payload))
