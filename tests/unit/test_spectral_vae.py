"""The bundled autoencoder: its filters, its transforms, its cuts, its phase."""

import librosa
import numpy as np
import pytest
import torch

from et_lite import autoencoders
from et_lite.autoencoders import SpectralAutoencoder, load_autoencoder, load_spectral
from et_lite.config import PhaseHeadConfig, SpectralVAEConfig
from et_lite.phase_head import PhaseHead, spectral_losses
from et_lite.spectra import griffin_lim, istft, mel_inverse, mel_matrix, stft
from et_lite.spectral_vae import SpectralVAE
from et_lite.storage import save_weights

MEL = mel_matrix(22_050, 2048, 160, 20.0)


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
    np.testing.assert_allclose(
        mel_matrix(c.sample_rate, c.fft, c.bands, c.low_hz), expected, atol=1e-7
    )


def test_inverse_transform_returns_the_waveform_to_its_ends() -> None:
    wave = torch.randn(2, 20 * 1024)
    spectrum = stft(wave, 2048, 256)
    assert spectrum.shape == (2, 1025, 80)
    torch.testing.assert_close(istft(spectrum, 2048, 256), wave, atol=1e-5, rtol=0)


def test_mel_inverse_is_positive_and_has_the_same_bands(vae: SpectralVAE) -> None:
    magnitude = stft(chirp(1)[:, : 20 * 1024], 2048, 256).abs()
    bands = vae.mel @ magnitude
    found = mel_inverse(vae.mel, bands, 20)
    assert (found >= 0).all()
    error = (vae.mel @ found - bands).norm() / bands.norm()
    assert error < 0.02


def test_griffin_lim_makes_the_spectrum_consistent_and_holds_what_is_fixed() -> None:
    target = stft(chirp(2)[:, : 40 * 1024], 2048, 256)
    magnitude = target.abs()

    def inconsistency(spectrum: torch.Tensor) -> float:
        again = stft(istft(spectrum, 2048, 256), 2048, 256).abs()
        return float((again - magnitude).norm() / magnitude.norm())

    random = torch.polar(magnitude, 6.283 * torch.rand(magnitude.shape))
    found = griffin_lim(magnitude, 256, 32, torch.Generator().manual_seed(0))
    assert inconsistency(found) < 0.35 * inconsistency(random)
    held = griffin_lim(magnitude, 256, 32, torch.Generator().manual_seed(0), target[..., :16])
    assert torch.equal(held[..., :16], target[..., :16])


@pytest.mark.parametrize("blocks", [1, 4, 7])
@pytest.mark.parametrize("frames", [1, 5, 31, 32, 33, 64, 100])
def test_pieces_equal_the_whole_file(monkeypatch, frames: int, blocks: int) -> None:
    torch.manual_seed(0)
    vae = SpectralVAE(SpectralVAEConfig(channels=8, width=16, blocks=blocks)).eval()
    wave = torch.randn(2, frames * 1024 - 7)
    whole = SpectralAutoencoder("x", vae, "").encode(wave)
    monkeypatch.setattr(autoencoders.spectral, "PIECE", 32)
    cut = SpectralAutoencoder("x", vae, "").encode(wave)
    assert whole.mean.shape == (2, 8, frames)
    for a, b in ((whole.mean, cut.mean), (whole.scale, cut.scale)):
        assert (a - b).norm() < 1e-4 * a.norm()  # −80 dB


@pytest.mark.parametrize("frames", [1, 31, 32, 33, 100])
def test_learned_decoding_in_pieces_equals_the_whole(monkeypatch, vae, frames: int) -> None:
    head = PhaseHead(PhaseHeadConfig(width=16, blocks=2)).eval()
    autoencoder = SpectralAutoencoder("x", vae, "", head)
    latents = torch.randn(2, 8, frames)
    whole = autoencoder.decode(latents)
    monkeypatch.setattr(autoencoders.spectral, "PIECE", 32)
    cut = autoencoder.decode(latents)
    assert whole.shape == cut.shape == (2, frames * 1024)
    assert (whole - cut).norm() < 1e-4 * whole.norm()  # −80 dB


@pytest.mark.parametrize("name", ["spectral-vae", "spectral-vae-gl"])
def test_decoding_in_pieces_has_the_length_and_no_seam(monkeypatch, name: str) -> None:
    """A steady tone stays steady where pieces meet: no click, no dip."""
    autoencoder = load_autoencoder(name)
    time = torch.arange(22_050 * 8) / 22_050
    latents = autoencoder.encode(0.3 * torch.sin(6.283 * 440 * time)[None]).mean
    monkeypatch.setattr(autoencoders.spectral, "PIECE", 40)
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


def test_phase_loss_asks_for_the_differences_and_not_for_the_phase_itself() -> None:
    wave = chirp(2)[:, : 40 * 1024]
    assert spectral_losses(wave, wave, MEL)["phase"] < 1e-3
    # The Hilbert transform turns every phase by the same angle.
    spectrum = torch.fft.rfft(wave)
    turned = torch.fft.irfft(spectrum * torch.exp(torch.tensor(1j)), wave.shape[-1])
    losses = spectral_losses(turned, wave, MEL)
    assert losses["phase"] < 0.02 and losses["log_magnitude"] < 0.2
    spectrum = stft(wave, 2048, 256)
    scrambled = torch.polar(spectrum.abs(), 6.283 * torch.rand(spectrum.shape))
    assert spectral_losses(istft(scrambled, 2048, 256), wave, MEL)["phase"] > 0.3


def test_silence_has_finite_losses_and_gradients() -> None:
    head = PhaseHead(PhaseHeadConfig(width=16, blocks=1))
    losses = spectral_losses(
        head(torch.zeros(2, 160, 32), torch.ones(2, 1025, 32)), torch.zeros(2, 32 * 256), MEL
    )
    torch.stack(list(losses.values())).sum().backward()
    gradients = [p.grad for p in head.parameters() if p.grad is not None]
    assert gradients and all(bool(g.isfinite().all()) for g in gradients)


def test_a_head_of_another_autoencoder_is_refused(tmp_path) -> None:
    save_weights(tmp_path / "head", {}, {"kind": "phase_head", "autoencoder": "another"})
    with pytest.raises(ValueError, match="head was not trained on"):
        load_spectral(autoencoders.WEIGHTS / "spectral-vae", tmp_path / "head")


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
