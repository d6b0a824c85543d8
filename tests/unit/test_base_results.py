"""Scripts behind the base autoencoder's tables: baselines, latent statistics, and the tables."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from et_lite.config import PredictorConfig
from et_lite.data import Crop, LatentStore
from et_lite.layers import Posterior
from et_lite.metrics import mel_distance, si_sdr

pytest.importorskip("av", reason="Opus needs the extra 'corpus'")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import base_results
import codec_baselines
import latent_statistics
from base_results import System

RATE = 22_050
CHANNELS = 4
SMALL = PredictorConfig(channels=CHANNELS, hidden=24, layers=2, inner=32)


@pytest.fixture(scope="module")
def speech(clips) -> np.ndarray:
    return soundfile.read(clips / "speech_1.flac", dtype="float32")[0][: 4 * RATE]


def lag(late: np.ndarray, early: np.ndarray) -> int:
    """Where two waves agree best, in samples."""
    product = np.fft.rfft(late, 2 * len(early)) * np.fft.rfft(early, 2 * len(early)).conj()
    place = int(np.fft.irfft(product).argmax())
    return place if place < len(early) else place - 2 * len(early)


@pytest.mark.parametrize("kbps", [6, 12, 24])
def test_opus_stays_in_place_and_near_its_rate(speech, kbps) -> None:
    wave = speech[: 4 * RATE - 17]  # no whole number of frames
    heard, taken = codec_baselines.opus(wave, RATE, kbps)
    assert heard.shape == wave.shape and heard.dtype == np.float32
    assert lag(heard, wave) == 0
    assert 0.5 * kbps < taken < 1.5 * kbps


def test_more_bits_sound_closer(speech) -> None:
    heard = [codec_baselines.opus(speech, RATE, kbps)[0] for kbps in (6, 64)]
    distances = [mel_distance(wave[None], speech[None], RATE) for wave in heard]
    assert distances[1] < 0.5 * distances[0]
    assert si_sdr(heard[1][None], speech[None]) > 15


def test_opus_takes_mono_only() -> None:
    with pytest.raises(ValueError, match="mono"):
        codec_baselines.opus(np.zeros((2, 9), np.float32), RATE, 12)


@pytest.mark.parametrize("length", [1, 255, 1024, 5001])
def test_mdct_keeps_energy_and_gives_the_wave_back(length) -> None:
    wave = np.random.default_rng(0).normal(size=length)
    rows = codec_baselines.mdct(wave)
    assert rows.shape[1] == 1024
    np.testing.assert_allclose((rows**2).sum(), (wave**2).sum(), rtol=1e-9)
    np.testing.assert_allclose(codec_baselines.inverse_mdct(rows, length), wave, atol=1e-9)


def test_linear_autoencoder_is_exact_with_all_numbers_and_best_with_few(speech) -> None:
    def error(channels: int, fitted_on: np.ndarray) -> float:
        linear = codec_baselines.LinearAutoencoder.fit([fitted_on], channels)
        latents = linear.encode(speech)
        assert latents.shape[1] == channels
        return float(np.square(linear.decode(latents, len(speech)) - speech).sum())

    power = float(np.square(speech).sum())
    noise = 1e-3 * np.random.default_rng(0).normal(size=len(speech))  # its mean counts for little
    assert error(1024, speech) < 1e-9 * power
    # 64 of 1024 directions that know nothing of the sound would hold a sixteenth of its power.
    assert error(64, speech) < 0.6 * power < error(64, noise) < power
    assert error(64, speech) < error(16, speech)


def test_nothing_to_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="0 clips to fit"):
        codec_baselines.LinearAutoencoder.fit([])


def autoregressive(weight: float, frames: int, seed: int) -> torch.Tensor:
    """Unit-variance AR(1) noise, (C, frames): ρ² of the next frame's variance can be known."""
    numbers = np.random.default_rng(seed).normal(size=(CHANNELS, frames + 100))
    for t in range(1, frames + 100):
        numbers[:, t] = weight * numbers[:, t - 1] + np.sqrt(1 - weight**2) * numbers[:, t]
    return torch.from_numpy(numbers[:, 100:].astype(np.float32))


def stored(weight: float) -> LatentStore:
    scale = torch.full((1, CHANNELS, 400), 0.01)
    return LatentStore.collect(
        (domain, Posterior(autoregressive(weight, 400, seed)[None], scale))
        for seed, domain in enumerate(("music", "speech", "effects"))
    )


def values(rows: list, statistic: str) -> list[float]:
    return [row.value for row in rows if row.statistic == statistic]


@pytest.mark.parametrize(("weight", "steps"), [(0.0, 80), (0.9, 160)])
def test_explained_variance_of_noise_is_what_theory_says(weight, steps, monkeypatch) -> None:
    store = stored(weight)
    monkeypatch.setattr(latent_statistics, "BATCH", 4)
    predictor = latent_statistics.train_predictor(store, steps, config=SMALL)
    test = {"music": [autoregressive(weight, 400, seed) for seed in range(9, 15)]}
    rows = latent_statistics.explained(predictor, store, test, horizons=3)
    powers = np.array([weight**k for k in (1, 2, 3)])
    np.testing.assert_allclose(values(rows, "explained_hold"), 2 * powers - 1, atol=0.1)
    np.testing.assert_allclose(values(rows, "explained_ridge"), powers**2, atol=0.06)
    network = np.array(values(rows, "explained_predictor"))
    assert (network < powers**2 + 0.06).all() and (network > powers**2 - 0.2).all()
    found = values(latent_statistics.autocorrelation(test, lags=3), "autocorrelation")
    np.testing.assert_allclose(found, powers, atol=0.06)


def test_short_clips_are_refused() -> None:
    with pytest.raises(ValueError, match="no clip of music has more than 12 latent frames"):
        latent_statistics.autocorrelation({"music": [torch.zeros(2, 5)]})


def test_alive_channels_are_those_that_outdo_their_noise() -> None:
    mean = torch.randn(1, 3, 2000, generator=torch.Generator().manual_seed(0))
    scale = torch.tensor([0.1, 2.0, 10.0])[:, None].expand(1, 3, 2000)
    # Shares of the mean in all variance: 0.99, 0.2, 0.01.
    assert (
        latent_statistics.alive_channels(LatentStore.collect([("music", Posterior(mean, scale))]))
        == 2
    )


class LevelAutoencoder:
    """Latents that are the samples of a frame summed in four parts, raised to a power."""

    name, identity, sample_rate, hop, channels = "level", "a" * 64, RATE, 1024, CHANNELS

    def __init__(self, power: float) -> None:
        self.power = power

    def encode(self, wave: torch.Tensor) -> Posterior:
        wave = torch.nn.functional.pad(wave, (0, -wave.shape[-1] % self.hop))
        parts = wave.view(len(wave), -1, CHANNELS, self.hop // CHANNELS).sum(-1).transpose(1, 2)
        mean = parts.sign() * parts.abs() ** self.power
        return Posterior(mean, torch.full_like(mean, 0.01))


class Zero(torch.nn.Module):
    """Predicts nothing at all, so that a frame costs its own power."""

    def rollout(self, latents: torch.Tensor, horizon: int) -> torch.Tensor:
        return latents.new_zeros(len(latents), horizon, *latents.shape[1:])


@pytest.fixture
def pulses() -> list[np.ndarray]:
    """Three clips of noise whose level changes from frame to frame, with digital silence."""
    waves = []
    for seed in range(3):
        numbers = np.random.default_rng(seed)
        level = np.repeat(10 ** numbers.uniform(-3, -0.5, 60), 1024)
        level[:5000] = 0
        waves.append((level * numbers.normal(size=len(level))).astype(np.float32))
    return waves


def test_latents_proportional_to_level_are_found_out(pulses) -> None:
    def found(power: float) -> dict[str, float]:
        rows = latent_statistics.level_statistics(
            LevelAutoencoder(power), Zero(), {"music": pulses}
        )
        return {row.statistic: row.value for row in rows}

    linear, root = found(1.0), found(0.5)
    assert linear["level_correlation"] > 0.8 and linear["level_correlation_in_clip"] > 0.8
    assert linear["quiet_variance"] == pytest.approx(0.01, rel=1e-3)
    assert root["quiet_variance_median"] == pytest.approx(0.1, rel=1e-3)
    # Every cost falls by the same factor, so the same frames are kept.
    assert linear["quiet_change"] == 0


def test_level_does_not_show_where_latents_ignore_it(pulses) -> None:
    rows = latent_statistics.level_statistics(LevelAutoencoder(0.0), Zero(), {"music": pulses})
    found = {row.statistic: row.value for row in rows}
    assert found["quiet_variance"] == pytest.approx(1)
    assert abs(found["level_correlation"]) < 0.2  # frames next to silence alone differ


def test_digital_silence_has_no_level() -> None:
    levels = latent_statistics.frame_levels(np.array([0, 0, 1, -1, 0.1], np.float32), 2)
    np.testing.assert_allclose(levels, [-np.inf, 0, -23.0103], atol=1e-3)


def test_all_crops_are_measured_once_and_kept(tmp_path, speech) -> None:
    calls = []

    def rebuild(wave: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
        calls.append(len(wave))
        return wave * 0.5, {}

    crops = [Crop(f"c{n}", "speech", "u", speech[n : n + RATE]) for n in range(3)]
    system = System("half", "v1", "code", rebuild)
    first = base_results.measured(system, crops[:2], tmp_path)
    again = base_results.measured(system, crops, tmp_path)
    assert len(calls) == 3 and again["c0"] == first["c0"]
    assert again["c0"]["mel_distance"] > 0.1 and again["c0"]["si_sdr"] > 40
    base_results.measured(System("half", "v1", "other code", rebuild), crops, tmp_path)
    base_results.measured(System("half", "v2", "code", rebuild), crops, tmp_path)
    assert len(calls) == 9


def test_rows_have_intervals_and_the_differences_that_decide(tmp_path) -> None:
    names = [f"m{n}" for n in range(8)] + ["v0", "v1"]
    chosen = {name: ("music" if name[0] == "m" else "vocal", name) for name in names}
    chosen["v1"] = ("vocal", "v0")

    def flat(value: float, **more: float) -> dict[str, dict[str, float]]:
        metrics = {"mel_distance": value, "stft_distance": 1.0, "si_sdr": 0.0, **more}
        return dict.fromkeys(names, metrics)

    found = {"ours": flat(0.5), "opus-12": flat(0.8, kbit_s=11.5), "pca-mdct": flat(1.0)}
    rows = base_results.result_rows(
        found, chosen, [("ours", "opus-12", 1.0), ("ours", "pca-mdct", 0.75)]
    )
    base_results.write_table(tmp_path / "t.csv", rows)
    with open(tmp_path / "t.csv", newline="") as file:
        table = {(row["system"], row["domain"], row["metric"]): row for row in csv.DictReader(file)}
    assert [row["system"] for row in rows] == sorted(
        (str(row["system"]) for row in rows), key=list(found).index
    )
    assert table["ours", "music", "mel_distance - 1 opus-12"]["high"] == "-0.3"
    assert table["ours", "music", "mel_distance - 0.75 pca-mdct"]["mean"] == "-0.25"
    assert table["opus-12", "music", "kbit_s"]["mean"] == "11.5"
    assert ("ours", "music", "kbit_s") not in table
    assert not [row for row in rows if row["domain"] == "vocal" and "-" in str(row["metric"])]
    vocal = table["ours", "vocal", "mel_distance"]
    assert (vocal["crops"], vocal["units"], vocal["low"]) == ("2", "1", "")


def test_the_cache_is_plain_json(tmp_path, speech) -> None:
    crop = Crop("c", "speech", "u", speech[:RATE])
    system = System("same", "v", "code", lambda wave: (wave, {"kbit_s": 1.0}))
    base_results.measured(system, [crop], tmp_path)
    (file,) = tmp_path.glob("same-*/c.json")
    assert json.loads(file.read_text())["kbit_s"] == 1.0
