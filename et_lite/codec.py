"""Sound to an elastic payload and back: `ElasticCodec` (book: chunking)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from et_lite import audio
from et_lite.autoencoders import WEIGHTS, Autoencoder, load_autoencoder
from et_lite.config import SYSTEMS, TrainingConfig, from_dict
from et_lite.methods import ReBottleneck, build
from et_lite.methods.base import in_windows
from et_lite.payload import ElasticPayload
from et_lite.segments import Segmentation, kept_length
from et_lite.solvers.selection import Selection, SelectionPath
from et_lite.storage import beside, load_weights


@dataclass(frozen=True)
class Analysis:
    """A file's inner latents and, once a solver is named, each stream's choice at every rate.

    Where the method's networks are told the kept fraction, both hold for that one alone.
    """

    latents: Tensor  # z (S, C, T)
    paths: list[SelectionPath]
    solver: str
    rate: int
    samples: int
    outer: Tensor  # x (S, C, T)
    noise: Tensor | None  # (S, C, T), where latents are sampled
    told: float  # the kept fraction, N/T
    sound_channels: int | None = None  # of the original, where that is not S

    def choose(self, keep: float) -> list[Selection]:
        """Each stream's selection at kept fraction `keep`."""
        count = kept_length(self.latents.shape[-1], keep)
        return [path.at(count) for path in self.paths]


def shipped() -> list[str]:
    """The systems whose trained models are there, in the order of the paper."""
    return [name for name in SYSTEMS if beside(WEIGHTS / name, ".json").is_file()]


def _find(name: str | Path) -> Path:
    """The files of a shipped model, or of one in the folder that the path names."""
    bare = isinstance(name, str) and Path(name).name == name
    for stem in (WEIGHTS / name, Path(name)) if bare else (Path(name),):
        if beside(stem, ".json").is_file():
            return stem
    known = ", ".join(shipped()) or "none"
    raise ValueError(
        f"model {str(name)!r} is not shipped ({known}) nor a path of a model's files without "
        "suffix: choose one"
    )


def sound(
    autoencoder: Autoencoder, x: Tensor, rate: int, samples: int, channels: int | None = None
) -> np.ndarray:
    """Outer latents (S, C, T) to so many samples at `rate`, (channels, n).

    `None` takes what the autoencoder gives; one channel is the mean of those decoded together.
    """
    wave, own = autoencoder.decode(x).numpy(), autoencoder.sample_rate
    wave = wave.mean(axis=0, keepdims=True) if channels == 1 else wave
    return audio.resample(wave[:, : -(-samples * own // rate)], own, rate, samples)


class ElasticCodec:
    """A base autoencoder and a trained method, from waveform to payload and back."""

    def __init__(
        self, name: str, autoencoder: Autoencoder, method: ReBottleneck, window: int, identity: str
    ) -> None:
        self.name, self.autoencoder, self.method = name, autoencoder, method.cpu().eval()
        self.window, self.identity = window, identity

    @classmethod
    def from_pretrained(cls, name: str | Path) -> "ElasticCodec":
        """A codec by the name of a shipped model, or by the path of its files without suffix."""
        stem = _find(name)
        state, card = load_weights(stem)
        if card.get("kind") != "method":
            raise ValueError(f"{stem.name} is a {card.get('kind')}, not a method: name another")
        autoencoder = load_autoencoder(card["autoencoder"]["name"])
        if autoencoder.identity != card["autoencoder"]["sha256"]:
            raise ValueError(
                f"{stem.name} was trained on another {autoencoder.name} than the one installed: "
                "fetch the assets again or retrain it"
            )
        method = build(from_dict(TrainingConfig, card["config"]))
        method.load_state_dict(state)
        return cls(stem.name, autoencoder, method, card["window"], card["sha256"])

    @property
    def latent_rate(self) -> float:
        """Latent frames per second before any is dropped."""
        return self.autoencoder.sample_rate / self.autoencoder.hop

    @torch.no_grad()
    def analyse(
        self,
        wave: np.ndarray,
        rate: int,
        solver: str | None = None,
        sample: torch.Generator | None = None,
        keep: float = 1.0,
    ) -> Analysis:
        """Encode (n,) or (S, n) samples and prepare the choice of frames at every rate.

        Latents are the posterior's mean, so that the result is repeatable, unless `sample`
        draws them as training did. Channels are streams of their own, unless the autoencoder
        codes several together. A method that is told the kept fraction encodes for `keep`; `pack`
        encodes anew where it is given another one.
        """
        streams, rate = audio.as_streams(wave, rate)
        at_rate = audio.resample(streams, rate, self.autoencoder.sample_rate)
        outer = self.autoencoder.encode(torch.from_numpy(at_rate))
        x = outer.mean if sample is None else outer.sample(sample)
        bare = self.recode(x, rate, streams.shape[1], sample, keep)
        channels = None if len(streams) == len(x) else len(streams)
        bare = replace(bare, sound_channels=channels)
        return self.with_solver(bare, solver or self.solver)

    @property
    def solver(self) -> str:
        """The solver that the method was trained with."""
        return self.method.config.selection.solver

    @torch.no_grad()
    def recode(
        self,
        x: Tensor,
        rate: int,
        samples: int,
        sample: torch.Generator | None = None,
        keep: float = 1.0,
    ) -> Analysis:
        """Inner latents of outer ones (S, C, T), from `samples` at `rate`, before any choice."""
        noise = None if sample is None else torch.randn(x.shape, generator=sample)
        told = kept_length(x.shape[-1], keep) / x.shape[-1]
        z = self._recode(x, noise, told)
        return Analysis(z, [], "", rate, samples, x, noise, told)

    def with_solver(self, analysis: Analysis, solver: str) -> Analysis:
        """The same latents, with each stream's choice by `solver`. ValueError if it has no say."""
        paths = [self.method.path(row, solver) for row in analysis.latents]
        return replace(analysis, paths=paths, solver=solver)

    def _recode(self, x: Tensor, noise: Tensor | None, told: float) -> Tensor:
        """Inner latents of (S, C, T) outer ones."""
        inner = partial(self._inner, keep=torch.tensor([told]))
        window, grid = self.window, self.method.grid
        blended = torch.cat([in_windows(inner, row[None], window, grid) for row in x])
        mean, scale = blended.chunk(2, dim=1)
        return mean if noise is None else mean + scale * noise

    def _inner(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        """Mean and scale of the inner latents, (1, 2C, T): both are blended between windows."""
        posterior = self.method.encode(x, keep)
        return torch.cat([posterior.mean, posterior.scale], dim=1)

    @torch.no_grad()
    def at(self, analysis: Analysis, keep: float) -> Analysis:
        """The analysis at kept fraction `keep`: another one only where the method is told it."""
        frames = analysis.outer.shape[-1]
        told = kept_length(frames, keep) / frames
        if not self.method.conditioned or told == analysis.told:
            return analysis
        z = self._recode(analysis.outer, analysis.noise, told)
        return self.with_solver(replace(analysis, latents=z, told=told), analysis.solver)

    @torch.no_grad()
    def pack(self, analysis: Analysis, keep: float) -> ElasticPayload:
        """The payload of an analysed file at kept fraction `keep`."""
        analysis = self.at(analysis, keep)
        chosen = analysis.choose(keep)
        # Streams that fall short of the asked length by different amounts would not stack.
        if len({selection.segmentation.kept for selection in chosen}) > 1:
            worst = max(selection.segmentation.kept for selection in chosen)
            chosen = [path.at(worst) for path in analysis.paths]
        anchors = [
            self.method.pack(z, s.segmentation)
            for z, s in zip(analysis.latents, chosen, strict=True)
        ]
        return ElasticPayload(
            anchors=torch.stack(anchors).numpy(),
            lengths=np.stack([s.segmentation.lengths for s in chosen]),
            sample_rate=analysis.rate,
            samples=analysis.samples,
            latent_rate=self.latent_rate,
            model=self.name,
            identity=self.identity,
            solver=analysis.solver,
            requested=kept_length(analysis.latents.shape[-1], keep),
            sound_channels=analysis.sound_channels,
        )

    def compress(
        self,
        wave: np.ndarray,
        rate: int,
        keep: float = 0.5,
        solver: str | None = None,
        sample: torch.Generator | None = None,
    ) -> ElasticPayload:
        """Sound to payload with N = max(1, ⌈keep · T⌉) frames a stream.

        ValueError for samples that are empty or not finite, and for `keep` outside (0, 1].
        """
        kept_length(1, keep)  # refuse a bad fraction before the long work
        return self.pack(self.analyse(wave, rate, solver, sample, keep), keep)

    @torch.no_grad()
    def decompress(self, payload: ElasticPayload) -> np.ndarray:
        """Payload to (channels, n) float32 samples, as many and at the rate it came from."""
        if payload.identity != self.identity:
            raise ValueError(
                f"the payload was made by {payload.model} ({payload.identity[:8]}), this codec is "
                f"{self.name} ({self.identity[:8]}): load that model"
            )
        anchors, lengths = torch.from_numpy(payload.anchors), torch.from_numpy(payload.lengths)
        channels = self.method.config.network.channels
        if anchors.shape[1] != channels:
            raise ValueError(
                f"the payload has {anchors.shape[1]} channels, {self.name} has {channels}: "
                "make it again"
            )
        x = torch.cat([self.latents(a.float(), n) for a, n in zip(anchors, lengths, strict=True)])
        channels = payload.sound_channels or len(x)
        return sound(self.autoencoder, x, payload.sample_rate, payload.samples, channels)

    @torch.no_grad()
    def latents(self, anchors: Tensor, lengths: Tensor) -> Tensor:
        """Outer latents (1, C, T) from one stream's anchors (C, N) and lengths (N,)."""
        z = self.method.unpack(anchors, lengths)[None]
        z = self.method.mark(z, [Segmentation.from_lengths(lengths.numpy())])
        decode = partial(self.method.decode, keep=torch.tensor([len(lengths) / z.shape[-1]]))
        return in_windows(decode, z, self.window, self.method.grid)

    def sweep(
        self, wave: np.ndarray, rate: int, keeps: Iterable[float], solver: str | None = None
    ) -> Iterator[tuple[ElasticPayload, np.ndarray]]:
        """Payload and sound at each kept fraction; encoding and costs are computed once.

        A method that is told the kept fraction encodes anew for each.
        """
        analysis = self.analyse(wave, rate, solver)
        for keep in keeps:
            payload = self.pack(analysis, keep)
            yield payload, self.decompress(payload)

    def segmentations(self, payload: ElasticPayload) -> list[Segmentation]:
        """Each stream's segmentation."""
        return [Segmentation.from_lengths(lengths) for lengths in payload.lengths]
