"""Latents of any scale, brought to zero mean and unit variance a channel.

The Re-Bottleneck's losses weigh all channels alike and expect values around one. A variational
autoencoder gives such latents, since its training pulls them there: the bundled one and Stable
Audio Open's are used as they are. Others are not trained so, and a `Scaling` stands in for it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from et_lite.autoencoders.base import Autoencoder, fingerprint, tensors_hash
from et_lite.layers import Posterior
from et_lite.storage import atomic_path


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation (C,) of an autoencoder's latents, `made_by` its identity."""

    mean: Tensor
    deviation: Tensor
    made_by: str

    def save(self, path: str | Path) -> None:
        """Write one safetensors file."""
        tensors = {"mean": self.mean, "deviation": self.deviation}
        with atomic_path(path) as temporary:
            save_file(tensors, temporary, metadata={"made_by": self.made_by})

    @classmethod
    def load(cls, path: str | Path) -> "Scaling":
        """Read what `save` wrote. ValueError when it is missing or damaged."""
        try:
            with safe_open(path, framework="pt") as file:
                made_by = (file.metadata() or {})["made_by"]
                return cls(file.get_tensor("mean"), file.get_tensor("deviation"), made_by)
        except (SafetensorError, KeyError, OSError) as error:
            raise ValueError(
                f"{path} holds no scaling of latents ({error}): measure it again"
            ) from error


def measure_scaling(autoencoder: Autoencoder, waves: Iterable[Tensor]) -> Scaling:
    """The scaling of an autoencoder's latents over sounds (S · A, n) at its sample rate.

    Minutes of varied sound are enough. The variance is that of draws from the posterior, which is
    what training sees. ValueError when there is no sound.
    """
    frames = 0
    total = torch.zeros(autoencoder.channels, dtype=torch.float64)
    squares = torch.zeros_like(total)
    for wave in waves:
        posterior = autoencoder.encode(wave)
        mean, scale = posterior.mean.double(), posterior.scale.double()
        total += mean.sum(dim=(0, 2))
        squares += (mean.square() + scale.square()).sum(dim=(0, 2))
        frames += mean.shape[0] * mean.shape[2]
    if frames == 0:
        raise ValueError("there are 0 sounds to measure: give at least one")
    mean = total / frames
    deviation = (squares / frames - mean.square()).clamp_min(0).sqrt()
    deviation[deviation == 0] = 1  # a channel that never changes stays where it is
    return Scaling(mean.float(), deviation.float(), autoencoder.identity)


class ScaledAutoencoder:
    """An autoencoder whose latents have zero mean and unit variance a channel.

    ValueError when the scaling was measured on other weights.
    """

    def __init__(self, autoencoder: Autoencoder, scaling: Scaling) -> None:
        if scaling.made_by != autoencoder.identity:
            raise ValueError(
                f"the scaling was measured on another {autoencoder.name} "
                f"({scaling.made_by[:8]}, this is {autoencoder.identity[:8]}): measure it again"
            )
        self.name, self.sample_rate = autoencoder.name, autoencoder.sample_rate
        self.hop, self.channels = autoencoder.hop, autoencoder.channels
        self.autoencoder, self.scaling = autoencoder, scaling
        numbers = {"mean": scaling.mean, "deviation": scaling.deviation}
        self.identity = tensors_hash(numbers, fingerprint(autoencoder))

    def encode(self, wave: Tensor) -> Posterior:
        """(S · A, n) samples to a posterior over (S, C, T)."""
        posterior = self.autoencoder.encode(wave)
        mean, deviation = self.scaling.mean[:, None], self.scaling.deviation[:, None]
        return Posterior((posterior.mean - mean) / deviation, posterior.scale / deviation)

    def decode(self, latents: Tensor) -> Tensor:
        """(S, C, T) latents to (S · A, T · hop) samples."""
        mean, deviation = self.scaling.mean[:, None], self.scaling.deviation[:, None]
        return self.autoencoder.decode(latents * deviation + mean)
