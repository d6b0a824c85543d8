"""Stable Audio Open's autoencoder: 44.1 kHz stereo, 64 channels at 21.5 Hz, 156 M weights.

It is the one of the paper (Evans et al. 2024, "Stable Audio Open"; book: your own autoencoder).
Two libraries build the same network and agree to the last bit: diffusers, which installs
everywhere, and stable-audio-tools, which needs an environment of its own
(requirements-stable-audio.txt).
"""

import warnings
from pathlib import Path
from typing import Any

from torch import nn

from et_lite.autoencoders.base import tensors_hash
from et_lite.autoencoders.oobleck import (
    check_keys,
    is_named,
    read_checkpoint,
    to_named,
    to_numbered,
)
from et_lite.autoencoders.published import fetch, library, local_folder
from et_lite.autoencoders.waveform import Layout, WaveformAutoencoder
from et_lite.layers import Posterior

NAME = "stable-audio-open"
REPOSITORY = "stabilityai/stable-audio-open-1.0"
AUTOENCODER_FILE = "vae/diffusion_pytorch_model.safetensors"  # the autoencoder by itself
FILES = ("model.safetensors", "model.ckpt", AUTOENCODER_FILE)  # of which a folder holds one
BACKENDS = ("diffusers", "stable-audio-tools")
EXTRA = "stable-audio"
# On each side a latent frame depends on 7.3 frames of samples, a sample on 10 frames of latents.
LAYOUT = Layout(44_100, 2048, 64, 2, context=10, piece=128)
# The autoencoder's part of the published model_config.json; diffusers' defaults are the same.
SHAPE = {"channels": 128, "c_mults": [1, 2, 4, 8, 16], "strides": [2, 4, 4, 8, 8]}
CONFIG: dict[str, Any] = {
    "model_type": "autoencoder",
    "sample_rate": 44_100,
    "model": {
        "encoder": {
            "type": "oobleck",
            "config": {**SHAPE, "in_channels": 2, "latent_dim": 128, "use_snake": True},
        },
        "decoder": {
            "type": "oobleck",
            "config": {
                **SHAPE,
                "out_channels": 2,
                "latent_dim": 64,
                "use_snake": True,
                "final_tanh": False,
            },
        },
        "bottleneck": {"type": "vae"},
        "latent_dim": 64,
        "downsampling_ratio": 2048,
        "io_channels": 2,
    },
}


class StableAudioOpen(WaveformAutoencoder):
    """Stable Audio Open's autoencoder around a network that `build_network` made.

    `identity` tells its weights; `backend` is the library that computes.
    """

    def __init__(self, network: Any, identity: str, backend: str = BACKENDS[0]) -> None:
        super().__init__(
            NAME, LAYOUT, network.encoder, network.decoder, identity, Posterior.from_features
        )
        self.backend = backend

    @classmethod
    def from_pretrained(
        cls, weights: str | Path | None = None, backend: str = BACKENDS[0]
    ) -> "StableAudioOpen":
        """With the published weights, from a file or a folder of theirs, or from the Hub.

        By default from the folder `stable-audio-open` in the one that ET_AUTOENCODERS names. The
        Hub asks for a token whose account has accepted the model's terms. ValueError when the
        weights cannot be had, or are not exactly this network's, and for an unknown backend.
        """
        _library(backend)  # what is missing is said before 156 M weights are built
        path = _find(weights)
        network = build_network(backend)
        state = {key: tensor.float() for key, tensor in read_checkpoint(path).items()}
        own = network.state_dict()
        if is_named(state) != is_named(own):
            own = to_named(own) if is_named(state) else to_numbered(own)
        check_keys(state, own, str(path))
        numbered = to_numbered(state) if is_named(state) else state
        # The same weights have the same identity, whatever file and backend they pass through.
        identity = tensors_hash(dict(sorted(numbered.items())))
        network.load_state_dict(to_named(numbered) if backend == BACKENDS[0] else numbered)
        return cls(network, identity, backend)


def build_network(backend: str = BACKENDS[0]) -> nn.Module:
    """The untrained network of 156 112 514 weights.

    ValueError for an unknown backend or one whose library is missing.
    """
    made_by = _library(backend)
    # Both libraries use the older of torch's weight norms, whose keys the checkpoints have.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*weight_norm", FutureWarning)
        if backend == BACKENDS[0]:
            network: nn.Module = made_by.AutoencoderOobleck()
            return network
        try:
            network = made_by.create_model_from_config(CONFIG)
        except ImportError as error:  # it imports what a network needs when that is asked for
            raise _missing(backend, error) from error
        return network


def _library(backend: str) -> Any:
    """What builds the network. ValueError for an unknown backend or a missing library."""
    if backend not in BACKENDS:
        raise ValueError(
            f"backend {backend!r} is not one of {', '.join(BACKENDS)}: choose one of those"
        )
    if backend == BACKENDS[0]:
        return library("diffusers", EXTRA)
    try:
        return library("stable_audio_tools.models.factory", EXTRA)
    except ValueError as error:
        raise _missing(backend, error.__cause__ or error) from error


def _missing(backend: str, error: BaseException) -> ValueError:
    return ValueError(
        f"the backend {backend} is not installed ({error}): "
        "make the environment of requirements-stable-audio.txt, or use diffusers"
    )


def _find(weights: str | Path | None) -> Path:
    """The file of the weights: the one named, the first known one in a folder, or the Hub's."""
    given = local_folder(NAME) if weights is None else Path(weights)
    if given is None:
        return fetch(REPOSITORY, AUTOENCODER_FILE, EXTRA)
    if not given.is_dir():
        return given
    for name in FILES:
        if (given / name).is_file():
            return given / name
    raise ValueError(f"{given} has none of {', '.join(FILES)}: put one of them there")
