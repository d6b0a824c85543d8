"""The base autoencoders by name (book: your own autoencoder).

Weights that others trained come from the Hugging Face Hub, or from a folder of the autoencoder's
name with the published files, inside the folder that ET_AUTOENCODERS names. A `Scaling` saved there
as `scaling.safetensors` is applied to DAC and EnCodec.

To add one of your own, give it the interface of `Autoencoder` and a name:

    from et_lite.autoencoders import REGISTRY, Layout, WaveformAutoencoder, exact
    from et_lite.storage import file_hash

    def load_mine() -> WaveformAutoencoder:
        network = MyNetwork.load("weights.safetensors")
        layout = Layout(sample_rate=48_000, hop=1920, channels=32, sound_channels=2,
                        context=12, piece=100)
        return WaveformAutoencoder("mine", layout, network.encoder, network.decoder,
                                   identity=file_hash("weights.safetensors"), posterior=exact)

    REGISTRY["mine"] = load_mine

`posterior` is `Posterior.from_features` where the encoder gives means and raw scales. For the
command line, declare the function in your package instead, as an entry point of the group
`et_lite.autoencoders`: `mine = "my_package:load_mine"`. Where latents are far from zero mean and
unit variance, wrap it: `ScaledAutoencoder(load_mine(), measure_scaling(load_mine(), sounds))`.
"""

from collections.abc import Callable
from functools import partial
from importlib.metadata import entry_points
from typing import Any

from et_lite.autoencoders.base import Autoencoder
from et_lite.autoencoders.spectral import load_spectral
from et_lite.autoencoders.stable_audio import StableAudioOpen
from et_lite.autoencoders.transformers_codecs import from_folder, load_dac, load_encodec
from et_lite.storage import ASSETS

GROUP = "et_lite.autoencoders"  # of entry points
WEIGHTS = ASSETS / "weights"
BUNDLED: dict[str, Callable[[], Any]] = {
    "spectral-vae": lambda: load_spectral(WEIGHTS / "spectral-vae", WEIGHTS / "phase-head"),
    # The same latents, the phase by Griffin–Lim: slower, and what the head is compared with.
    "spectral-vae-gl": lambda: load_spectral(WEIGHTS / "spectral-vae"),
}
REGISTRY: dict[str, Callable[[], Any]] = {
    **BUNDLED,
    "stable-audio-open": StableAudioOpen.from_pretrained,
    "dac": partial(from_folder, "dac", load_dac),
    "encodec": partial(from_folder, "encodec", load_encodec),
}


def load_autoencoder(name: str) -> Autoencoder:
    """The registered autoencoder `name`. ValueError for an unknown name."""
    if name in REGISTRY:
        return REGISTRY[name]()
    declared = {point.name: point for point in entry_points(group=GROUP)}
    if name not in declared:
        known = ", ".join([*REGISTRY, *declared])
        raise ValueError(f"autoencoder {name!r} is not one of {known}: choose one of those")
    autoencoder: Autoencoder = declared[name].load()()
    return autoencoder
