"""What FAD compares sounds by: one published network a domain, rewritten in torch.

Their weights are fetched and converted by `make embeddings` (book: evaluation).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from et_lite import audio
from et_lite.embeddings import aisfx, musicnn, resemblyzer
from et_lite.storage import ASSETS, beside, load_weights

FOLDER = ASSETS.parent / "embeddings"
# A network can judge only what it has learned to hear.
EMBEDDING_OF = {
    "music": "musicnn",
    "speech": "resemblyzer",
    "effects": "aisfx",
    "vocal": "musicnn",
}
NETWORKS: dict[str, tuple[ModuleType, Callable[[], nn.Module]]] = {
    "musicnn": (musicnn, musicnn.MusiCNN),
    "resemblyzer": (resemblyzer, resemblyzer.VoiceEncoder),
    "aisfx": (aisfx, aisfx.AiSFX),
}


@dataclass(frozen=True)
class Embedding:
    """A frozen network over windows of a spectrogram, and the SHA-256 of its weights."""

    name: str
    network: nn.Module  # (B, frames, bands) to (B, d)
    spectrogram: Callable[[Tensor], Tensor]  # (n,) to (all frames, bands)
    rate: int  # hertz
    frames: int  # in a window
    step: int  # frames from one window to the next
    identity: str

    @torch.no_grad()
    def __call__(self, wave: np.ndarray, rate: int) -> np.ndarray:
        """Samples (n,) at `rate` hertz to one embedding for each window, (windows, d) float32.

        What is shorter than one window is padded with silence; a last window that is not full
        is left out.
        """
        at_rate = audio.resample(wave[None], rate, self.rate)[0]
        found = self.spectrogram(torch.from_numpy(at_rate))
        missing = max(0, self.frames - len(found))
        found = torch.nn.functional.pad(found, (0, 0, 0, missing))
        windows = found.unfold(0, self.frames, self.step).transpose(1, 2)
        return self.network(windows.contiguous()).numpy()


def load_embeddings(folder: Path = FOLDER) -> dict[str, Embedding]:
    """The embedding of every domain. ValueError where weights are not there."""
    loaded = {name: load_embedding(name, folder) for name in NETWORKS}
    return {domain: loaded[name] for domain, name in EMBEDDING_OF.items()}


def load_embedding(name: str, folder: Path = FOLDER) -> Embedding:
    """An embedding by its name. ValueError where its weights are not there."""
    if name not in NETWORKS:
        raise ValueError(f"embedding {name!r} is not one of {', '.join(NETWORKS)}: name one")
    if not beside(folder / name, ".safetensors").is_file():
        raise ValueError(
            f"FAD needs the embedding {name}, whose weights are not in {folder}: "
            "run make embeddings, or evaluate with --no-fad"
        )
    state, card = load_weights(folder / name)
    module, network = NETWORKS[name]
    made = network()
    made.load_state_dict(state)
    return Embedding(
        name,
        made.eval(),
        module.spectrogram,
        module.RATE,
        module.FRAMES,
        module.STEP,
        card["sha256"],
    )
