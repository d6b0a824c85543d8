"""The paper's toolkit for FAD, `fadtk` (Gui et al. 2024), as embeddings of ours.

The paper names the toolkit and says that each set is judged by a network for its kind of sound, but
not by which. Those here are the toolkit's own for music, sounds and speech. The distance between
the embeddings is that of `et_lite.frechet`.

fadtk is an extra: `pip install 'et-lite[fadtk]'`, in an environment of its own, since it wants
NumPy below 2 and transformers below 5. It fetches its weights by itself, and they were not within
reach where this was written: the wav2vec 2.0 of fadtk 1.1.0 ran with weights of a seed, and its
CLAP was read alone. One thing differs from the toolkit's own command: sounds are resampled by soxr.
"""

import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from et_lite import audio
from et_lite.autoencoders.base import tensors_hash
from et_lite.embeddings import Embedding

EXTRA = "fadtk"
CLAP_MUSIC, CLAP_AUDIO, SPEECH = "clap-laion-music", "clap-laion-audio", "w2v2-base"
BACKBONE_OF = {"music": CLAP_MUSIC, "vocal": CLAP_MUSIC, "effects": CLAP_AUDIO, "speech": SPEECH}
LAYER = 12  # of wav2vec 2.0, the last one
MADE: dict[str, Callable[[Any], Any]] = {
    CLAP_MUSIC: lambda toolkit: toolkit.CLAPLaionModel("music"),
    CLAP_AUDIO: lambda toolkit: toolkit.CLAPLaionModel("audio"),
    SPEECH: lambda toolkit: toolkit.W2V2Model("base", LAYER),
}


def load_toolkit(kinds: set[str]) -> dict[str, Embedding]:
    """fadtk's embedding for each kind of sound, a domain of the bundled evaluation.

    ValueError when fadtk is missing, or its weights cannot be had.
    """
    toolkit = _toolkit()
    loaded = {name: _load(toolkit, name) for name in sorted({BACKBONE_OF[k] for k in kinds})}
    return {kind: loaded[BACKBONE_OF[kind]] for kind in kinds}


def _toolkit() -> Any:
    try:
        import fadtk.model_loader
    except (ImportError, OSError) as error:  # a torchaudio of another torch is an OSError
        raise ValueError(
            f"this FAD needs fadtk ({error}): run pip install 'et-lite[{EXTRA}]' in an environment "
            "of its own, or leave out --fad"
        ) from error
    return fadtk.model_loader


def _load(toolkit: Any, name: str) -> Embedding:
    try:
        model = MADE[name](toolkit)
        model.load_model()
    except Exception as error:  # whatever the libraries behind it raise: for us it is one thing
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"fadtk could not load {name} ({reason}): check the network, which has its weights, "
            "or leave out --fad"
        ) from error
    return as_embedding(model)


def as_embedding(model: Any) -> Embedding:
    """A loaded `fadtk.model_loader.ModelLoader` as an embedding: its rows are the windows."""

    def rows(wave: Tensor) -> Tensor:
        """Samples (n,) at the model's rate to (windows, d), by way of a file as in the toolkit."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "mono.wav"
            audio.write(file, wave[None].numpy(), model.sr)  # 16 bits
            found = model.get_embedding(model.load_wav(file))
        return torch.from_numpy(found).float().reshape(-1, model.num_features)

    weights = tensors_hash(model.model.state_dict(), f"fadtk {_version()} {model.name}")
    return Embedding(model.name, nn.Flatten(), rows, model.sr, frames=1, step=1, identity=weights)


def _version() -> str:
    try:
        return version("fadtk")
    except PackageNotFoundError:
        return "unknown"
