"""Autoencoders of convolutions from samples to latents, run in overlapping pieces."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from et_lite.autoencoders.base import in_whole_frames, pieces
from et_lite.layers import Posterior


@dataclass(frozen=True)
class Layout:
    """The numbers of a network: rates, channels, and how long its pieces are."""

    sample_rate: int  # hertz
    hop: int  # samples in one latent frame
    channels: int  # latent channels C
    sound_channels: int  # A, coded together in one stream
    context: int  # latent frames that one frame can depend on, on each side
    piece: int  # latent frames computed at once


def exact(features: Tensor) -> Posterior:
    """The posterior of a network that gives its latents themselves: a scale of zero, (S, C, T)."""
    return Posterior(features, torch.zeros_like(features))


class WaveformAutoencoder:
    """An encoder and a decoder as the libraries define them, behind the interface of `Autoencoder`.

    `encoder` maps (S, A, n) samples to (S, F, n / hop) features, `decoder` features to samples.
    Each piece brings the frames that it depends on, so that no seam is heard or measured. What
    sees all of time passes whole: `after` the encoder and `before` the decoder, which map
    (S, F, T) features to such. `posterior` makes latents of features. All of them compute on a
    graphics card where there is one; what comes in and goes out lies in the processor's memory.
    """

    def __init__(
        self,
        name: str,
        layout: Layout,
        encoder: nn.Module,
        decoder: nn.Module,
        identity: str,
        posterior: Callable[[Tensor], Posterior],
        after: nn.Module | None = None,
        before: nn.Module | None = None,
    ) -> None:
        self.name, self.layout, self.identity = name, layout, identity
        self.sample_rate, self.hop = layout.sample_rate, layout.hop
        self.channels = layout.channels
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        parts = (encoder, decoder, after or nn.Identity(), before or nn.Identity())
        self.encoder, self.decoder, self.after, self.before = (
            part.eval().to(self.device) for part in parts
        )
        self.posterior = posterior

    @torch.no_grad()
    def encode(self, wave: Tensor) -> Posterior:
        """(S · A, n) samples to a posterior over (S, C, T); the last frame is padded with zeros.

        ValueError for a number of sound channels that is neither 1 nor a multiple of A, and, as in
        `decode`, for a network that does not keep to its layout.
        """
        streams = self._streams(in_whole_frames(wave, self.hop))
        # One stream after another, so that their number does not multiply the memory.
        found = [self._encode(stream[None]) for stream in streams]
        return Posterior(
            torch.cat([posterior.mean for posterior in found]),
            torch.cat([posterior.scale for posterior in found]),
        )

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """(S, C, T) latents to (S · A, T · hop) samples."""
        return torch.cat([self._decode(stream[None]) for stream in latents])

    def _streams(self, wave: Tensor) -> Tensor:
        """(S · A, n) samples as (S, A, n); one channel stands for all of a stream's."""
        together = self.layout.sound_channels
        if len(wave) == 1:
            wave = wave.expand(together, -1)
        if len(wave) % together:
            raise ValueError(
                f"the sound has {len(wave)} channels and {self.name} codes {together} together: "
                f"give one channel or a multiple of {together}"
            )
        return wave.reshape(-1, together, wave.shape[-1])

    def _encode(self, wave: Tensor) -> Posterior:
        """(1, A, n) samples, n a multiple of the hop, to a posterior over (1, C, T)."""
        frames, hop = wave.shape[-1] // self.hop, self.hop
        found = []
        for span in pieces(frames, self.layout.piece, self.layout.context, "encode"):
            piece = wave[..., span.left * hop : span.right * hop].to(self.device)
            features = self.encoder(piece)
            self._check("features", features, (1, features.shape[1], span.right - span.left))
            found.append(features[..., span.inner])
        posterior = self.posterior(self.after(torch.cat(found, dim=-1)))
        self._check("latents", posterior.mean, (1, self.channels, frames))
        return Posterior(posterior.mean.cpu(), posterior.scale.cpu())

    def _decode(self, latents: Tensor) -> Tensor:
        """(1, C, T) latents to (A, T · hop) samples."""
        features, waves = self.before(latents.to(self.device)), []
        for span in pieces(latents.shape[-1], self.layout.piece, self.layout.context, "decode"):
            wave = self.decoder(features[..., span.left : span.right])
            samples = (span.right - span.left) * self.hop
            self._check("samples", wave, (1, self.layout.sound_channels, samples))
            waves.append(wave[0, :, span.inner.start * self.hop : span.inner.stop * self.hop].cpu())
        return torch.cat(waves, dim=-1)

    def _check(self, what: str, found: Tensor, expected: tuple[int, ...]) -> None:
        if found.shape != expected:
            raise ValueError(
                f"{self.name} gave {what} of shape {tuple(found.shape)} where its layout says "
                f"{expected}: correct the layout"
            )
