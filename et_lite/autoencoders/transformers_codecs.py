"""DAC and EnCodec from transformers: their continuous latents, before the quantiser.

Neither asks for a token. They show that the method knows nothing of one autoencoder: DAC
(Kumar et al. 2023) has 1024 channels at 86.1 Hz, EnCodec (Défossez et al. 2022) 128 at 75 Hz.
Their latents have no scale of their own making: measure a `Scaling` before training on them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from et_lite.autoencoders.base import Autoencoder, tensors_hash
from et_lite.autoencoders.published import library, local_folder, unreachable
from et_lite.autoencoders.scaling import ScaledAutoencoder, Scaling
from et_lite.autoencoders.waveform import Layout, WaveformAutoencoder, exact

EXTRA = "transformers"
SCALING = "scaling.safetensors"  # beside the weights in the autoencoder's folder
# On each side a latent frame depends on 7.3 frames of samples, a sample on 10 frames of latents.
DAC = Layout(44_100, 512, 1024, 1, context=10, piece=512)
# The convolutions look back 2 frames; the LSTMs see everything before, and pass whole.
ENCODEC = Layout(24_000, 320, 128, 1, context=2, piece=450)


def load_dac(weights: str | Path = "descript/dac_44khz") -> WaveformAutoencoder:
    """DAC at 44.1 kHz from the Hub or a folder in its layout. ValueError when it cannot be had."""
    network = _pretrained("DacModel", weights)
    _check_rate(network.config.sampling_rate, DAC, weights)
    identity = _identity(network)
    return WaveformAutoencoder("dac", DAC, network.encoder, network.decoder, identity, exact)


def load_encodec(weights: str | Path = "facebook/encodec_24khz") -> WaveformAutoencoder:
    """EnCodec at 24 kHz from the Hub or a folder in its layout. ValueError when not to be had."""
    network = _pretrained("EncodecModel", weights)
    _check_rate(network.config.sampling_rate, ENCODEC, weights)
    begin, end = list(network.encoder.layers), list(network.decoder.layers)
    whole, back = _lstm(begin), _lstm(end) + 1
    return WaveformAutoencoder(
        "encodec",
        ENCODEC,
        nn.Sequential(*begin[:whole]),
        nn.Sequential(*end[back:]),
        _identity(network),
        exact,
        after=nn.Sequential(*begin[whole:]),
        before=nn.Sequential(*end[:back]),
    )


def from_folder(name: str, load: Callable[..., WaveformAutoencoder]) -> Autoencoder:
    """An autoencoder from its folder in ET_AUTOENCODERS, or from the Hub where it has none.

    With the scaling that lies in the folder, where one does.
    """
    folder = local_folder(name)
    autoencoder = load() if folder is None else load(folder)
    if folder is None or not (folder / SCALING).is_file():
        return autoencoder
    return ScaledAutoencoder(autoencoder, Scaling.load(folder / SCALING))


def _pretrained(kind: str, weights: str | Path) -> Any:
    """A network of transformers with every weight in place, and no other."""
    model = getattr(library("transformers", EXTRA), kind)
    try:
        network, report = model.from_pretrained(
            weights, use_safetensors=True, output_loading_info=True
        )
    except OSError as error:
        raise ValueError(unreachable(str(weights), error)) from error
    for reason in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if report[reason]:
            key = sorted(map(str, report[reason]))[0]
            said = reason.replace("_keys", "")
            raise ValueError(f"{weights} does not fit {kind}: key {key!r} is {said}")
    return network


def _check_rate(rate: int, layout: Layout, weights: str | Path) -> None:
    if rate != layout.sample_rate:
        raise ValueError(
            f"{weights} is for {rate} Hz, not {layout.sample_rate} Hz: name the other checkpoint"
        )


def _lstm(layers: list[nn.Module]) -> int:
    """Where the LSTM stands among the layers."""
    return next(i for i, layer in enumerate(layers) if type(layer).__name__ == "EncodecLSTM")


def _identity(network: nn.Module) -> str:
    """SHA-256 of the encoder's and the decoder's weights; the quantiser is not used."""
    used = {k: t for k, t in network.state_dict().items() if not k.startswith("quantizer.")}
    return tensors_hash(dict(sorted(used.items())))
