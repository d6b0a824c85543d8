"""Sound to an elastic payload and back: `ElasticCodec` (book: chunking)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from et_lite import audio
from et_lite.autoencoders import Autoencoder, load_autoencoder
from et_lite.config import TrainingConfig, from_dict
from et_lite.layers import Posterior
from et_lite.methods import ReBottleneck, build
from et_lite.methods.base import in_windows
from et_lite.payload import ElasticPayload
from et_lite.segments import Segmentation, kept_length
from et_lite.solvers.selection import Selection, SelectionPath
from et_lite.storage import ASSETS, beside, load_weights


@dataclass(frozen=True)
class Analysis:
    """A file's inner latents and, for each stream, its choice of frames at every rate."""

    latents: Tensor  # z (S, C, T)
    paths: list[SelectionPath]
    solver: str
    rate: int
    samples: int

    def choose(self, keep: float) -> list[Selection]:
        """Each stream's selection at kept fraction `keep`."""
        count = kept_length(self.latents.shape[-1], keep)
        return [path.at(count) for path in self.paths]


def _find(name: str | Path) -> Path:
    """The files of a shipped model, or of one in the folder that the path names."""
    weights = ASSETS / "weights"
    bare = isinstance(name, str) and Path(name).name == name
    for stem in (weights / name, Path(name)) if bare else (Path(name),):
        if beside(stem, ".json").is_file():
            return stem
    known = ", ".join(sorted(file.stem for file in weights.glob("et-*.json"))) or "none"
    raise ValueError(
        f"model {str(name)!r} is not shipped ({known}) nor a path of a model's files without "
        "suffix: choose one"
    )


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
    ) -> Analysis:
        """Encode (n,) or (S, n) samples and prepare the choice of frames at every rate.

        Latents are the posterior's mean, so that the result is repeatable, unless `sample`
        draws them as training did. Channels are streams of their own.
        """
        streams, rate = audio.as_streams(wave, rate)
        at_rate = audio.resample(streams, rate, self.autoencoder.sample_rate)
        outer = self.autoencoder.encode(torch.from_numpy(at_rate))
        x = outer.mean if sample is None else outer.sample(sample)
        blended = torch.cat([in_windows(self._inner, row[None], self.window) for row in x])
        inner = Posterior(*blended.chunk(2, dim=1))
        z = inner.mean if sample is None else inner.sample(sample)
        paths = [self.method.path(row, solver) for row in z]
        chosen = solver or self.method.config.selection.solver
        return Analysis(z, paths, chosen, rate, streams.shape[1])

    def _inner(self, x: Tensor) -> Tensor:
        """Mean and scale of the inner latents, (1, 2C, T): both are blended between windows."""
        posterior = self.method.encode(x)
        return torch.cat([posterior.mean, posterior.scale], dim=1)

    def pack(self, analysis: Analysis, keep: float) -> ElasticPayload:
        """The payload of an analysed file at kept fraction `keep`."""
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
        return self.pack(self.analyse(wave, rate, solver, sample), keep)

    @torch.no_grad()
    def decompress(self, payload: ElasticPayload) -> np.ndarray:
        """Payload to (S, n) float32 samples at the rate, count and length it came from."""
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
        wave = self.autoencoder.decode(x).numpy()
        own = self.autoencoder.sample_rate
        wave = wave[:, : -(-payload.samples * own // payload.sample_rate)]
        return audio.resample(wave, own, payload.sample_rate, payload.samples)

    @torch.no_grad()
    def latents(self, anchors: Tensor, lengths: Tensor) -> Tensor:
        """Outer latents (1, C, T) from one stream's anchors (C, N) and lengths (N,)."""
        z = self.method.unpack(anchors, lengths)
        return in_windows(self.method.decode, z[None], self.window)

    def sweep(
        self, wave: np.ndarray, rate: int, keeps: Iterable[float], solver: str | None = None
    ) -> Iterator[tuple[ElasticPayload, np.ndarray]]:
        """Payload and sound at each kept fraction; encoding and costs are computed once."""
        analysis = self.analyse(wave, rate, solver)
        for keep in keeps:
            payload = self.pack(analysis, keep)
            yield payload, self.decompress(payload)

    def segmentations(self, payload: ElasticPayload) -> list[Segmentation]:
        """Each stream's segmentation."""
        return [Segmentation.from_lengths(lengths) for lengths in payload.lengths]
