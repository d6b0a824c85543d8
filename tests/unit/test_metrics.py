"""Distances behave as their names say, and long files are coded as well as short ones."""

import auraloss
import numpy as np
import pytest
import soundfile
import torch

from et_lite.codec import ElasticCodec
from et_lite.metrics import Original, mel_distance, si_sdr, stft_distance


@pytest.fixture
def music(clips) -> np.ndarray:
    return soundfile.read(clips / "music_1.flac", dtype="float32", always_2d=True)[0].T


def test_nothing_changed_is_zero_and_more_noise_is_farther(music) -> None:
    noise = np.random.default_rng(0).normal(size=music.shape).astype("float32") * music.std()
    for distance in (lambda x, y: mel_distance(x, y, 22_050), stft_distance):
        assert distance(music, music) == pytest.approx(0, abs=1e-6)
        assert 0 < distance(music + 0.01 * noise, music) < distance(music + 0.1 * noise, music)
    assert si_sdr(music + 0.1 * noise, music) == pytest.approx(20, abs=0.5)
    assert si_sdr(3 * (music + 0.1 * noise), music) == pytest.approx(20, abs=0.5)


@pytest.mark.parametrize("channels", [1, 2])
def test_they_are_auralosss_own(music, channels) -> None:
    """Spectra that are kept and phases that are left out change nothing."""
    original = np.concatenate([music, music[:, ::-1]])[:channels]
    noise = np.random.default_rng(0).normal(size=original.shape).astype("float32")
    mel = auraloss.freq.MelSTFTLoss(
        22_050, fft_size=2048, hop_size=512, win_length=2048, n_mels=128
    )
    kept = Original(original, 22_050)
    for loudness in (0.001, 0.1, 0.0):
        rebuilt = original + loudness * noise
        pair = [torch.from_numpy(np.ascontiguousarray(x))[None] for x in (rebuilt, original)]
        expected = {
            "mel_distance": float(mel(*pair)),
            "stft_distance": float(auraloss.freq.MultiResolutionSTFTLoss()(*pair)),
            "si_sdr": -float(auraloss.time.SISDRLoss()(*pair)),
        }
        assert kept.distances(rebuilt) == pytest.approx(expected, abs=1e-6)
        alone = (mel_distance(rebuilt, original, 22_050), stft_distance(rebuilt, original))
        assert alone == tuple(kept.distances(rebuilt).values())[:2]


def test_other_shapes_are_refused(music) -> None:
    with pytest.raises(ValueError, match="must be the same"):
        mel_distance(music[:, :-1], music, 22_050)


@pytest.mark.slow
def test_long_file_is_as_close_as_its_parts(clips) -> None:
    """A minute coded whole and in six cuts: the mel distances differ by less than 5 %."""
    files = sorted(clips.glob("*_[12].flac"))
    minute = np.concatenate([soundfile.read(f, dtype="float32")[0] for f in files] * 2)
    rate = 22_050
    minute = minute[None, : 60 * rate]
    codec = ElasticCodec.from_pretrained("et-greedy")

    def coded(wave: np.ndarray) -> np.ndarray:
        return codec.decompress(codec.compress(wave, rate, keep=0.5))

    whole = mel_distance(coded(minute), minute, rate)
    parts = np.concatenate([coded(p) for p in np.split(minute, 6, axis=1)], axis=1)
    assert minute.shape[1] == 60 * rate
    assert abs(whole / mel_distance(parts, minute, rate) - 1) < 0.05
