"""Small networks in published layouts, sound for them, and a codec around them."""

import diffusers
import pytest
import torch
from torch import Tensor

from et_lite.autoencoders import WaveformAutoencoder
from et_lite.codec import ElasticCodec
from et_lite.config import NetworkConfig, PredictorConfig, TrainingConfig
from et_lite.layers import Posterior
from et_lite.methods import build

KINDS = ("stable-audio-open", "dac", "encodec")
TINY_DAC = {"encoder_hidden_size": 2, "decoder_hidden_size": 16, "sampling_rate": 44_100}
TINY_ENCODEC = {"num_filters": 2, "hidden_size": 6}
every_kind = pytest.mark.parametrize("kind", KINDS)


def tiny_oobleck() -> diffusers.AutoencoderOobleck:
    return diffusers.AutoencoderOobleck(
        encoder_hidden_size=8, decoder_channels=4, decoder_input_channels=4
    )


def noise(autoencoder: WaveformAutoencoder, frames: int, less: int = 0) -> Tensor:
    samples = frames * autoencoder.hop - less
    numbers = torch.Generator().manual_seed(1)
    return 0.3 * torch.randn(autoencoder.layout.sound_channels, samples, generator=numbers)


def codec_of(autoencoder) -> ElasticCodec:
    torch.manual_seed(0)
    channels = autoencoder.channels
    config = TrainingConfig(
        network=NetworkConfig(channels=channels, width=16, blocks=2),
        predictor=PredictorConfig(channels=channels, hidden=12, inner=16),
    )
    return ElasticCodec("seeded", autoencoder, build(config), config.frames, "c" * 64)


class Ramp:
    """Latents of a known mean and spread, one channel of them always the same."""

    name, sample_rate, hop, channels, identity = "ramp", 100, 1, 3, "d" * 64

    def encode(self, wave: Tensor) -> Posterior:
        mean = torch.stack([5 + 2 * wave, -wave, torch.full_like(wave, 7)], dim=1)
        return Posterior(mean, torch.tensor([0.5, 0.25, 0.0])[:, None].expand_as(mean))

    def decode(self, latents: Tensor) -> Tensor:
        return (latents[:, 0] - 5) / 2
