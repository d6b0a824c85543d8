"""Frozen base autoencoders behind one small interface, and their registry (book: latents)."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from tqdm.auto import tqdm

from et_lite.config import SpectralVAEConfig, from_dict
from et_lite.layers import Posterior
from et_lite.spectral_vae import SpectralVAE, griffin_lim
from et_lite.storage import ASSETS, load_weights

PIECE = 512  # latent frames handled at once: 24 s
HELD = 16  # spectrogram frames of an earlier piece that fix the phase of the next


class Autoencoder(Protocol):
    """What the method asks of a base autoencoder: S streams of samples to S × C × T and back."""

    name: str
    sample_rate: int  # hertz
    hop: int  # samples in one latent frame
    channels: int  # C
    identity: str  # SHA-256 of the weights, so that a payload knows what made it

    def encode(self, wave: Tensor) -> Posterior:
        """(S, n) samples to a posterior over (S, C, ⌈n / hop⌉)."""

    def decode(self, latents: Tensor) -> Tensor:
        """(S, C, T) latents to (S, T · hop) samples."""


class SpectralAutoencoder:
    """The bundled autoencoder: 22 050 Hz, 64 channels at 21.5 Hz, phase by Griffin–Lim.

    Long files pass in pieces with enough context that no seam can be heard (book: latents).
    """

    def __init__(self, name: str, vae: SpectralVAE, identity: str) -> None:
        self.name, self.vae, self.identity = name, vae.eval(), identity
        self.sample_rate = vae.config.sample_rate
        self.hop = vae.config.hop * vae.config.group
        self.channels = vae.config.channels
        # Latent frames that one latent frame can depend on, on each side: the convolutions' reach,
        # and that of a spectrogram window past its frame.
        c = vae.config
        self.context = c.blocks * (c.kernel // 2) + -(-c.fft // (2 * self.hop))

    @torch.no_grad()
    def encode(self, wave: Tensor) -> Posterior:
        """(S, n) samples to a posterior over (S, C, T); the last frame is padded with zeros."""
        frames = max(1, -(-wave.shape[-1] // self.hop))
        wave = torch.nn.functional.pad(wave, (0, frames * self.hop - wave.shape[-1]))
        pieces = []
        for start in _pieces(frames, "encode"):
            end = min(start + PIECE, frames)
            left, right = max(0, start - self.context), min(frames, end + self.context)
            piece = self.vae.encode(wave[:, left * self.hop : right * self.hop])
            inner = slice(start - left, end - left)
            pieces.append((piece.mean[..., inner], piece.scale[..., inner]))
        return Posterior(*(torch.cat(parts, dim=-1) for parts in zip(*pieces, strict=True)))

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """(S, C, T) latents to (S, T · 1024) samples; the phase is carried from piece to piece."""
        c, frames = self.vae.config, latents.shape[-1]
        generator = torch.Generator().manual_seed(0)  # decoding is a function of the payload alone
        waves: list[Tensor] = []
        tail = None  # the last spectrogram frames that are settled
        for start in _pieces(frames, "decode"):
            end = min(start + PIECE, frames)
            left, right = max(0, start - self.context), min(frames, end + self.context)
            ahead = min(frames - end, HELD // c.group)
            magnitude = self.vae.magnitude(latents[..., left:right])
            held = 0 if tail is None else HELD
            first, last = (start - left) * c.group - held, (end + ahead - left) * c.group
            spectrum = griffin_lim(self.vae, magnitude[..., first:last], generator, tail)
            spectrum = spectrum[..., : spectrum.shape[-1] - ahead * c.group]
            piece = self.vae.istft(spectrum)
            # Half a window at each inner border lacks its neighbour's frames: the next piece,
            # which holds this one's last frames, gives those samples.
            border = c.fft // 2
            begin = 0 if tail is None else held * c.hop - border
            waves.append(piece[:, begin : None if end == frames else -border])
            tail = spectrum[..., -HELD:]
        return torch.cat(waves, dim=-1)


def _pieces(frames: int, doing: str) -> Iterator[int]:
    """Starts of the pieces, behind a progress bar where a terminal watches a long file."""
    starts = range(0, frames, PIECE)
    yield from tqdm(starts, doing, leave=False, disable=None if len(starts) > 2 else True)


def load_spectral(stem: Path) -> SpectralAutoencoder:
    """The bundled autoencoder from `stem.safetensors` and `stem.json`."""
    state, card = load_weights(stem)
    if card.get("kind") != "spectral_vae":
        raise ValueError(f"{stem} is a {card.get('kind')}, not an autoencoder: name another file")
    vae = SpectralVAE(from_dict(SpectralVAEConfig, card["config"]["network"]))
    vae.load_state_dict(state)
    return SpectralAutoencoder(stem.name, vae, card["sha256"])


REGISTRY: dict[str, Callable[[], Any]] = {
    "spectral-vae": lambda: load_spectral(ASSETS / "weights" / "spectral-vae"),
}


def load_autoencoder(name: str) -> Autoencoder:
    """The registered autoencoder `name`. ValueError for an unknown name."""
    if name not in REGISTRY:
        raise ValueError(
            f"autoencoder {name!r} is not one of {', '.join(REGISTRY)}: choose one of those"
        )
    return REGISTRY[name]()
