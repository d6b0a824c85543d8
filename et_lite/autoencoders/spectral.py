"""The bundled autoencoder: a spectrogram network and a phase decoder (book: latents)."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from et_lite.autoencoders.base import in_whole_frames, pieces
from et_lite.config import PhaseHeadConfig, SpectralVAEConfig, from_dict
from et_lite.layers import Posterior
from et_lite.phase_head import PRIOR_ROUNDS, PhaseHead
from et_lite.spectra import griffin_lim, istft
from et_lite.spectral_vae import SpectralVAE
from et_lite.storage import load_weights

PIECE = 512  # latent frames handled at once: 24 s
EXACT_ROUNDS = 20  # of the least squares from bands to magnitudes, where nothing corrects them
HELD = 16  # spectrogram frames of an earlier piece that fix the phase of the next


class SpectralAutoencoder:
    """The bundled autoencoder: 22 050 Hz, 64 channels at 21.5 Hz.

    The phase comes from the learned head, or without one from Griffin–Lim. Long files pass in
    pieces with enough context that no seam can be heard (book: latents).
    """

    def __init__(
        self, name: str, vae: SpectralVAE, identity: str, head: PhaseHead | None = None
    ) -> None:
        self.name, self.vae, self.identity = name, vae.eval(), identity
        self.head = None if head is None else head.eval()
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
        wave, means, scales = in_whole_frames(wave, self.hop), [], []
        for span in pieces(wave.shape[-1] // self.hop, PIECE, self.context, "encode"):
            piece = self.vae.encode(wave[:, span.left * self.hop : span.right * self.hop])
            means.append(piece.mean[..., span.inner])
            scales.append(piece.scale[..., span.inner])
        return Posterior(torch.cat(means, dim=-1), torch.cat(scales, dim=-1))

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """(S, C, T) latents to (S, T · 1024) samples."""
        decode = self._griffin_lim if self.head is None else partial(self._learned, self.head)
        return torch.cat(list(decode(latents)), dim=-1)

    def _learned(self, head: PhaseHead, latents: Tensor) -> Iterator[Tensor]:
        """Pieces of the sound; what the head can see on each side is decoded with each."""
        c = head.config
        reach = c.blocks * (c.kernel // 2) * c.hop + c.fft
        context = self.context + -(-reach // self.hop)
        for span in pieces(latents.shape[-1], PIECE, context, "decode"):
            log_mel = self.vae.decode(latents[..., span.left : span.right])
            wave = head(log_mel, self.vae.magnitude(log_mel, PRIOR_ROUNDS))
            yield wave[:, span.inner.start * self.hop : span.inner.stop * self.hop]

    def _griffin_lim(self, latents: Tensor) -> Iterator[Tensor]:
        """Pieces of the sound; the phase is carried from each to the next."""
        c, frames = self.vae.config, latents.shape[-1]
        generator = torch.Generator().manual_seed(0)  # decoding is a function of the payload alone
        tail = None  # the last spectrogram frames that are settled
        for span in pieces(frames, PIECE, self.context, "decode"):
            start, end = span.left + span.inner.start, span.left + span.inner.stop
            ahead = min(frames - end, HELD // c.group)
            log_mel = self.vae.decode(latents[..., span.left : span.right])
            magnitude = self.vae.magnitude(log_mel, EXACT_ROUNDS)
            held = 0 if tail is None else HELD
            first, last = (start - span.left) * c.group - held, (end + ahead - span.left) * c.group
            magnitude = magnitude[..., first:last]
            spectrum = griffin_lim(magnitude, c.hop, c.iterations, generator, tail)
            spectrum = spectrum[..., : spectrum.shape[-1] - ahead * c.group]
            piece = istft(spectrum, c.fft, c.hop)
            # Half a window at each inner border lacks its neighbour's frames: the next piece,
            # which holds this one's last frames, gives those samples.
            border = c.fft // 2
            begin = 0 if tail is None else held * c.hop - border
            yield piece[:, begin : None if end == frames else -border]
            tail = spectrum[..., -HELD:]


def load_spectral(stem: Path, head: Path | None = None) -> SpectralAutoencoder:
    """The bundled autoencoder from `stem.safetensors` and `stem.json`, and its phase head.

    ValueError when the head was trained on another autoencoder's spectrograms.
    """
    state, card = load_weights(stem)
    if card.get("kind") != "spectral_vae":
        raise ValueError(f"{stem} is a {card.get('kind')}, not an autoencoder: name another file")
    vae = SpectralVAE(from_dict(SpectralVAEConfig, card["config"]["network"]))
    vae.load_state_dict(state)
    if head is None:
        return SpectralAutoencoder(f"{stem.name}-gl", vae, card["sha256"])
    state, head_card = load_weights(head)
    if head_card.get("autoencoder") != card["sha256"]:
        raise ValueError(f"{head} was not trained on {stem}: name another file or retrain it")
    decoder = PhaseHead(from_dict(PhaseHeadConfig, head_card["config"]["network"]))
    decoder.load_state_dict(state)
    return SpectralAutoencoder(stem.name, vae, card["sha256"], decoder)
