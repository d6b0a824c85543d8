"""Small networks, stores and sounds that the unit tests share."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import soundfile
import torch

from et_lite import autoencoders
from et_lite.autoencoders import SpectralAutoencoder
from et_lite.codec import ElasticCodec
from et_lite.config import (
    DiscriminatorConfig,
    NetworkConfig,
    PredictorConfig,
    SpectralVAEConfig,
    TrainingConfig,
    preset,
)
from et_lite.data import Crop, LatentStore
from et_lite.embeddings import Embedding
from et_lite.layers import Posterior
from et_lite.methods import build
from et_lite.spectral_vae import SpectralVAE
from et_lite.sweep import RATE
from et_lite.training import publish

TINY = TrainingConfig(
    network=NetworkConfig(channels=8, width=16, blocks=2),
    predictor=PredictorConfig(channels=8, hidden=12, layers=3, inner=16),
    discriminator=DiscriminatorConfig(width=4, layers=2),
    steps=12,
    batch=3,
    frames=24,
    marked=True,
    gap_exponent=0.7,
)


ModuleType = TypeVar("ModuleType", bound=torch.nn.Module)


def awake(module: ModuleType) -> ModuleType:
    """A network whose every weight has an effect; some start as zeros or identities."""
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return module


@pytest.fixture(autouse=True)
def one_thread():
    """Small products on several threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny() -> TrainingConfig:
    return TINY


@pytest.fixture
def tiny_of() -> Callable[[str], TrainingConfig]:
    """The tiny configuration of a named system."""

    def configure(system: str) -> TrainingConfig:
        own = preset("paper", system)
        return replace(TINY, method=own.method, selection=own.selection, loss=own.loss)

    return configure


@pytest.fixture
def store() -> LatentStore:
    """Three clips a domain of slowly changing latents."""
    generator = torch.Generator().manual_seed(1)
    clips = []
    for domain in ("music", "speech", "effects"):
        for _ in range(3):
            steps = torch.randn(1, 8, 60, generator=generator)
            clips.append((domain, Posterior(steps.cumsum(-1) * 0.3, torch.full((1, 8, 60), 0.05))))
    return LatentStore.collect(clips)


@pytest.fixture(scope="session")
def random_codec() -> ElasticCodec:
    """A codec of untrained networks: wrong sound, right shapes."""
    torch.manual_seed(0)
    vae = SpectralVAE(SpectralVAEConfig(channels=8, width=16, blocks=1, iterations=2))
    autoencoder = SpectralAutoencoder("random", vae, "a" * 64)
    config = replace(TINY, frames=96)
    return ElasticCodec("tiny", autoencoder, build(config), config.frames, "b" * 64)


@pytest.fixture
def tone() -> np.ndarray:
    """Half a second of two different tones in stereo at 44.1 kHz, (2, n)."""
    time = np.arange(22_051) / 44_100
    return np.stack([np.sin(440 * 6.283 * time), np.sin(660 * 6.283 * time)]).astype("float32") / 3


@pytest.fixture(scope="session")
def clips() -> Path:
    """The shipped listening clips."""
    return Path(__file__).resolve().parents[2] / "assets" / "clips"


@pytest.fixture
def trained(random_codec, tiny_of, tmp_path, monkeypatch) -> Callable[..., str]:
    """Write an untrained tiny model of a system and return its path."""
    monkeypatch.setitem(autoencoders.REGISTRY, "random", lambda: random_codec.autoencoder)

    def write(system: str, seed: int = 0, name: str | None = None) -> str:
        torch.manual_seed(seed)
        stem = tmp_path / "models" / (name or (f"{system}.{seed}" if seed else system))
        base = {"name": "random", "sha256": random_codec.autoencoder.identity}
        method = build(replace(tiny_of(system), seed=seed))
        with torch.no_grad():
            for parameter in method.parameters():  # what starts at zero would hide its inputs
                parameter += 0.02 * torch.randn(parameter.shape)
        publish(method, stem, base, "none")
        return str(stem)

    return write


@pytest.fixture
def sounds(clips) -> list[Crop]:
    """Two seconds each, three files of one domain and one of another; two share a unit."""
    names = ("speech_1", "speech_2", "music_1", "effects_1")
    waves = [soundfile.read(clips / f"{name}.flac", dtype="float32")[0] for name in names]
    crops = [Crop(n, n[:-2], n, w[RATE : 3 * RATE]) for n, w in zip(names, waves, strict=True)]
    return [*crops, Crop("speech_1b", "speech", "speech_1", waves[0][3 * RATE : 5 * RATE])]


@pytest.fixture
def small_embedding() -> Embedding:
    """Six numbers for every eight short spectra: two seconds have ten windows."""
    torch.manual_seed(7)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(8 * 257, 6))

    def spectrogram(wave: torch.Tensor) -> torch.Tensor:
        return torch.fft.rfft(wave.unfold(0, 512, 512)).abs()

    return Embedding("small", network, spectrogram, RATE, frames=8, step=8, identity="c" * 64)
