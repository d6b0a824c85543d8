"""What the method asks of a base autoencoder, and how a long file passes through one."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from tqdm.auto import tqdm

from et_lite.layers import Posterior


class Autoencoder(Protocol):
    """S streams of sound to S × C × T and back.

    A stream is one sound channel, or A of them where the network codes A together: 2 in stereo.
    """

    name: str
    sample_rate: int  # hertz
    hop: int  # samples in one latent frame
    channels: int  # C
    identity: str  # SHA-256 of the weights, so that a payload knows what made it

    def encode(self, wave: Tensor) -> Posterior:
        """(S · A, n) samples to a posterior over (S, C, ⌈n / hop⌉); one channel stands for A."""

    def decode(self, latents: Tensor) -> Tensor:
        """(S, C, T) latents to (S · A, T · hop) samples."""


def in_whole_frames(wave: Tensor, hop: int) -> Tensor:
    """Samples (…, n) and zeros up to the end of the last latent frame; at least one frame."""
    frames = max(1, -(-wave.shape[-1] // hop))
    return torch.nn.functional.pad(wave, (0, frames * hop - wave.shape[-1]))


@dataclass(frozen=True)
class Span:
    """Frames `left` to `right` are computed, of which `inner` are wanted."""

    left: int
    right: int
    inner: slice


def pieces(frames: int, length: int, context: int, doing: str) -> Iterator[Span]:
    """Spans of `length` frames, with `context` more on each side as far as there are any.

    Behind a progress bar where a file is long.
    """
    starts = range(0, frames, length)
    for start in tqdm(starts, doing, leave=False, disable=None if len(starts) > 2 else True):
        end = min(start + length, frames)
        left = max(0, start - context)
        yield Span(left, min(frames, end + context), slice(start - left, end - left))


def tensors_hash(tensors: Mapping[str, Tensor], begin: str = "") -> str:
    """SHA-256 over the names and the bytes of tensors, and over a text before them."""
    digest = hashlib.sha256(begin.encode())
    for name, tensor in tensors.items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


def fingerprint(autoencoder: Autoencoder) -> str:
    """SHA-256 over every weight of every network in it: a decoder may have a file of its own."""
    parts = sorted(vars(autoencoder).items())
    networks = {name: part for name, part in parts if isinstance(part, torch.nn.Module)}
    tensors = {
        f"{n}.{key}": t for n, part in networks.items() for key, t in part.state_dict().items()
    }
    return tensors_hash(tensors, f"{autoencoder.name} {autoencoder.identity}")
