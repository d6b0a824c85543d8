"""The bundled autoencoder: its filters, its transforms, its cuts, its phase."""

import librosa
import numpy as np
import pytest
import torch

from et_lite import autoencoders
from et_lite.autoencoders import SpectralAutoencoder, load_autoencoder
from et_lite.config import SpectralVAEConfig
from et_lite.spectral_vae import SpectralVAE, griffin_lim, mel_inverse, mel_matrix


@pytest.fixture(scope="module")
def vae() -> SpectralVAE:
    torch.manual_seed(0)
    return SpectralVAE(SpectralVAEConfig(channels=8, width=16)).eval()


def chirp(seconds: float, rate: int = 22_050) -> torch.Tensor:
    time = torch.arange(int(seconds * rate)) / rate
    return (0.3 * torch.sin(6.283 * (200 + 300 * time / seconds) * time)).float()[None]


def test_mel_matrix_is_librosas(vae: SpectralVAE) -> None:
    c = vae.config
    expected = librosa.filters.mel(sr=c.sample_rate, n_fft=c.fft, n_mels=c.bands, fmin=c.low_hz)
    np.testing.assert_allclose(mel_matrix(c), expected, atol=1e-7)


def test_inverse_transform_returns_the_waveform_to_its_ends(vae: SpectralVAE) -> None:
    wave = torch.randn(2, 20 * 1024)
    spectrum = vae.stft(wave)
    assert spectrum.shape == (2, 1025, 80)
    torch.testing.assert_close(vae.istft(spectrum), wave, atol=1e-5, rtol=0)


def test_mel_inverse_is_positive_and_has_the_same_bands(vae: SpectralVAE) -> None:
    magnitude = vae.stft(chirp(1)[:, : 20 * 1024]).abs()
    bands = vae.mel @ magnitude
    found = mel_inverse(vae.mel, bands)
    assert (found >= 0).all()
    error = (vae.mel @ found - bands).norm() / bands.norm()
    assert error < 0.02


def test_griffin_lim_makes_the_spectrum_consistent_and_holds_what_is_fixed(vae) -> None:
    target = vae.stft(chirp(2)[:, : 40 * 1024])
    magnitude = target.abs()

    def inconsistency(spectrum: torch.Tensor) -> float:
        again = vae.stft(vae.istft(spectrum)).abs()
        return float((again - magnitude).norm() / magnitude.norm())

    random = torch.polar(magnitude, 6.283 * torch.rand(magnitude.shape))
    found = griffin_lim(vae, magnitude, torch.Generator().manual_seed(0))
    assert inconsistency(found) < 0.35 * inconsistency(random)
    held = griffin_lim(vae, magnitude, torch.Generator().manual_seed(0), target[..., :16])
    assert torch.equal(held[..., :16], target[..., :16])


@pytest.mark.parametrize("blocks", [1, 4, 7])
@pytest.mark.parametrize("frames", [1, 5, 31, 32, 33, 64, 100])
def test_pieces_equal_the_whole_file(monkeypatch, frames: int, blocks: int) -> None:
    torch.manual_seed(0)
    vae = SpectralVAE(SpectralVAEConfig(channels=8, width=16, blocks=blocks)).eval()
    wave = torch.randn(2, frames * 1024 - 7)
    whole = SpectralAutoencoder("x", vae, "").encode(wave)
    monkeypatch.setattr(autoencoders, "PIECE", 32)
    cut = SpectralAutoencoder("x", vae, "").encode(wave)
    assert whole.mean.shape == (2, 8, frames)
    for a, b in ((whole.mean, cut.mean), (whole.scale, cut.scale)):
        assert (a - b).norm() < 1e-4 * a.norm()  # −80 dB


def test_decoding_in_pieces_has_the_length_and_no_seam(monkeypatch) -> None:
    """A steady tone stays steady where pieces meet: no click, no dip."""
    autoencoder = load_autoencoder("spectral-vae")
    time = torch.arange(22_050 * 8) / 22_050
    latents = autoencoder.encode(0.3 * torch.sin(6.283 * 440 * time)[None]).mean
    monkeypatch.setattr(autoencoders, "PIECE", 40)
    wave = autoencoder.decode(latents)[0]
    assert len(wave) == latents.shape[-1] * 1024
    seams = np.arange(40, latents.shape[-1] - 1, 40) * 1024
    level = wave.unfold(0, 1024, 256).square().mean(-1).sqrt()
    middle = level[20:-20].median()
    second = torch.diff(wave, n=2).abs()  # a click is a jump in slope
    typical = second[10_000:-10_000].quantile(0.999)
    for seam in seams:
        for place in range(seam - 2048, seam + 1024, 256):
            assert 0.5 < level[place // 256] / middle < 2, place
        assert second[seam - 2048 : seam + 1024].max() < 4 * typical
    torch.testing.assert_close(autoencoder.decode(latents)[0], wave, atol=0, rtol=0)


def test_latents_of_the_training_domains_have_unit_scale(clips) -> None:
    import soundfile

    autoencoder = load_autoencoder("spectral-vae")
    means = []
    for file in sorted(clips.glob("*_?.flac")):
        wave, rate = soundfile.read(file, dtype="float32")
        assert rate == autoencoder.sample_rate
        means.append(autoencoder.encode(torch.from_numpy(wave)[None]).mean[0])
    spread = torch.cat(means, dim=1).std(dim=1)
    assert 0.5 < spread.median() < 2


def test_unknown_autoencoder_is_refused() -> None:
    with pytest.raises(ValueError, match="'nothing' is not one of spectral-vae"):
        load_autoencoder("nothing")
