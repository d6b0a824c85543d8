"""A clip at every rendered kept fraction: what the listening widget plays and draws.

All versions of a clip are sample-aligned and lossless (FLAC, 16 bit). None is scaled to its own
peak: one factor, the same for all, keeps them within ±1, and a gain of its own, which the widget
shows and can switch off, makes each as loud as the others (ITU-R BS.1770, pyloudnorm).
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyloudnorm
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

from et_lite import audio, plotting
from et_lite.codec import Analysis, ElasticCodec, sound
from et_lite.listening.plain import flac
from et_lite.methods.elastic_time import ElasticTime
from et_lite.segments import kept_length
from et_lite.solvers.selection import RemovalOrder
from et_lite.storage import atomic_path, commit, machine, write_json

KEEPS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SHORTEST = 0.4  # seconds: the block over which BS.1770 measures loudness
FALLBACK = ("original", "ceiling", "elastic-0.50", "elastic-0.20")  # plain players, without scripts

Sound = tuple[str, str, int | None, NDArray]  # name, kind and kept length as in Version, (n,)


@dataclass(frozen=True, eq=False)
class Version:
    """One sound of a clip: the original, the autoencoder's ceiling, or a kept fraction."""

    name: str
    kind: str  # original, ceiling, elastic or uniform
    kept: int | None  # N; None where no frame was to be dropped
    wave: NDArray  # (n,) within ±1
    loudness: float  # LUFS; −inf for silence
    gain: float  # dB that makes it as loud as the clip's other versions

    def facts(self) -> dict[str, Any]:
        """What the widget needs to know of it, without the sound."""
        loudness = self.loudness if np.isfinite(self.loudness) else None
        return {
            "name": self.name,
            "kind": self.kind,
            "kept": self.kept,
            "loudness": loudness,
            "gain": self.gain,
        }


@dataclass(frozen=True, eq=False)
class Rendering:
    """A clip's versions, and the order in which its frames go (book: intro)."""

    name: str
    title: str
    credit: str  # HTML
    rate: int  # hertz
    versions: list[Version]
    latent_rate: float  # frames per second before any is dropped
    order: list[int]  # frames, first removed first
    costs: NDArray  # e[a, l], (T, L)
    made: dict[str, Any]  # the model, the solver, the common factor, and where this was made

    @property
    def frames(self) -> int:
        """T."""
        return len(self.costs)

    @property
    def key(self) -> str:
        """The name and a hash of all sounds: a page never plays another rendering's."""
        digest = hashlib.sha256()
        for version in self.versions:
            digest.update(version.name.encode() + flac(version.wave, self.rate))
        return f"{self.name}-{digest.hexdigest()[:8]}"

    def card(self) -> dict[str, Any]:
        """All but the sounds, ready for JSON."""
        costs = np.where(np.isfinite(self.costs), self.costs, 0)
        kept = [v.kept for v in self.versions if v.kind == "elastic" and v.kept]
        original = self.versions[0].wave
        return {
            "key": self.key,
            "title": self.title,
            "credit": self.credit,
            "rate": self.rate,
            "samples": len(original),
            "frames": self.frames,
            "latent_rate": self.latent_rate,
            "cap": costs.shape[1],
            "order": self.order,
            "costs": [float(f"{cost:.3g}") for cost in costs.ravel()],
            "error_top": self._largest_error(min(kept)),
            "versions": [version.facts() for version in self.versions],
            "picture": picture_of(self, self.versions[0]),
            "hertz": [
                (f"{hertz / 1000:g} kHz", height)
                for hertz, height in plotting.hertz_marks(self.rate)
                if height < 0.9  # or the label would stick out
            ],
            "about": self._about(),
            "made": self.made,
        }

    def write(self, folder: str | Path) -> dict[str, Any]:
        """Write `card.json` and a script for each sound under `folder`/key, and give the card.

        The sounds that a page without scripts plays are written as FLAC files too.
        """
        card = self.card()
        home = Path(folder) / card["key"]
        for version in self.versions:
            data = flac(version.wave, self.rate)
            told = json.dumps([f"{card['key']}/{version.name}", _text(data)])[1:-1]
            with atomic_path(home / f"{version.name}.js") as temporary:
                text = f'ElasticListening.deliver({told}, "{picture_of(self, version)}");\n'
                temporary.write_text(text, encoding="ascii")
            if version.name in FALLBACK:
                with atomic_path(home / f"{version.name}.flac") as temporary:
                    temporary.write_bytes(data)
        write_json(home / "card.json", card)
        return card

    def _largest_error(self, kept: int) -> float:
        """The largest prediction error at so few kept frames: the height of the drawing."""
        path = RemovalOrder(self.frames, np.array(self.order), np.zeros(len(self.order)))
        offsets = path.at(kept).segmentation.offsets
        replaced = np.flatnonzero(offsets)
        errors = self.costs[replaced - offsets[replaced], offsets[replaced] - 1]
        return float(errors.max(initial=1e-6))

    def _about(self) -> str:
        made = self.made
        factor = f"{made['headroom_db']:+.1f} dB" if made["headroom_db"] else "none"
        return (
            f"{self.rate / 1000:g} kHz, 16 bit, lossless. Made by {made['model']} "
            f"({made['identity'][:8]}) at commit {made['commit']}; one {made['solver']} order of "
            f"removal serves every rate. Even spacing is the same model with frames at equal "
            f"distances. Loudness after ITU-R BS.1770; factor common to all versions: {factor}."
        )


def render(
    codec: ElasticCodec,
    wave: np.ndarray,
    rate: int,
    name: str,
    title: str = "",
    credit: str = "",
    keeps: Sequence[float] = KEEPS,
    solver: str = "agglomerative",
) -> Rendering:
    """Render a clip (n,) or (1, n) at `rate` hertz at every kept fraction.

    Beside `solver` stand the original, the autoencoder alone, and the same model with evenly
    spaced frames. ValueError for stereo, for a clip under 0.4 s, for a model that predicts nothing
    and for a solver whose choices are not nested (book: intro).
    """
    streams, rate = audio.as_streams(wave, rate)
    if len(streams) != 1:
        raise ValueError(f"the clip has {len(streams)} channels, not 1: mix it to mono")
    if streams.shape[1] < SHORTEST * rate:
        seconds = streams.shape[1] / rate
        raise ValueError(f"the clip lasts {seconds:.2f} s: loudness needs {SHORTEST} s or more")
    analysis, path, costs = _analyse(codec, streams, rate, solver)
    sounds: list[Sound] = [
        ("original", "original", None, streams[0]),
        ("ceiling", "ceiling", None, _ceiling(codec, analysis)),
        *_stops(codec, analysis, "elastic", keeps),
        *_stops(codec, codec.with_solver(analysis, "uniform"), "uniform", keeps),
    ]
    factor = 1 / max(1.0, *(float(np.abs(wave).max()) for *_, wave in sounds))
    kept_in = [(name, kind, kept, wave * np.float32(factor)) for name, kind, kept, wave in sounds]
    return Rendering(
        name=name,
        title=title or name,
        credit=credit,
        rate=rate,
        versions=_matched(kept_in, rate),
        latent_rate=codec.latent_rate,
        order=path.order.tolist(),
        costs=costs,
        made={
            "model": codec.name,
            "identity": codec.identity,
            "autoencoder": codec.autoencoder.name,
            "solver": solver,
            "headroom_db": 20 * float(np.log10(factor)),
            "commit": commit(),
            "machine": machine(),
        },
    )


def stop_at(
    codec: ElasticCodec, analysis: Analysis, rendering: Rendering, kind: str, kept: int
) -> Version:
    """One more version of a rendered clip, at `kept` frames by `kind`, elastic or uniform.

    `analysis` is the clip's own. ValueError where the solver cannot keep so few.
    """
    if kind == "uniform":
        analysis = codec.with_solver(analysis, "uniform")
    elif kind != "elastic":
        raise ValueError(f"kind {kind!r} keeps no chosen frames: ask for elastic or uniform")
    payload = codec.pack(analysis, kept / rendering.frames)
    if payload.kept != kept:
        raise ValueError(f"{kind} keeps {payload.kept} frames or more, not {kept}: ask for more")
    factor = 10 ** (rendering.made["headroom_db"] / 20)
    wave = codec.decompress(payload)[0] * np.float32(factor)
    first = rendering.versions[0]
    loudness = pyloudnorm.Meter(rendering.rate).integrated_loudness(wave.astype(np.float64))
    # The others are as loud as this; what would clip stays quieter.
    gain = min(first.loudness + first.gain - loudness, -_peak(wave))
    gain = float(gain) if np.isfinite(gain) else 0.0
    return Version(f"{kind}-{kept}", kind, kept, wave, float(loudness), gain)


def picture_of(rendering: Rendering, version: Version) -> str:
    """A version's spectrogram, PNG in base64, on the original's scale."""
    _, loudest = plotting.bare_spectrogram(rendering.versions[0].wave, rendering.rate)
    return _text(plotting.bare_spectrogram(version.wave, rendering.rate, loudest)[0])


def _analyse(
    codec: ElasticCodec, streams: NDArray, rate: int, solver: str
) -> tuple[Analysis, RemovalOrder, NDArray]:
    """The clip's latents, the order in which its frames go, and its step costs (T, L)."""
    method = codec.method
    if not isinstance(method, ElasticTime):
        raise ValueError(f"{codec.name} predicts nothing: choose a model of Elastic Time")
    analysis = codec.analyse(streams, rate, solver)
    (path,) = analysis.paths
    if not isinstance(path, RemovalOrder):
        raise ValueError(
            f"solver {solver!r} removes frames in no order: choose agglomerative or greedy"
        )
    return analysis, path, method.costs(analysis.latents[0])


@torch.no_grad()
def _ceiling(codec: ElasticCodec, analysis: Analysis) -> NDArray:
    """The sound (n,) after the base autoencoder alone."""
    return sound(codec.autoencoder, analysis.outer, analysis.rate, analysis.samples)[0]


def _stops(
    codec: ElasticCodec, analysis: Analysis, kind: str, keeps: Sequence[float]
) -> Iterator[Sound]:
    """The sound at each kept fraction; those out of reach are left out."""
    frames = analysis.outer.shape[-1]
    for keep in tqdm(keeps, kind, leave=False, disable=None):
        if kind == "uniform" and kept_length(frames, keep) == frames:
            continue  # nothing to choose: the other kind has it
        payload = codec.pack(analysis, keep)
        if payload.reached:
            yield f"{kind}-{keep:.2f}", kind, payload.kept, codec.decompress(payload)[0]


def _matched(sounds: list[Sound], rate: int) -> list[Version]:
    """Versions with gains to the original's loudness, or as near to it as all stay within ±1."""
    meter = pyloudnorm.Meter(rate)
    loudness = [float(meter.integrated_loudness(wave.astype(np.float64))) for *_, wave in sounds]
    target = loudness[0]
    gains = [target - own if np.isfinite(target - own) else 0.0 for own in loudness]
    over = max(0.0, *(_peak(wave) + gain for (*_, wave), gain in zip(sounds, gains, strict=True)))
    return [
        Version(*known, loudness=own, gain=float(gain - over))
        for known, own, gain in zip(sounds, loudness, gains, strict=True)
    ]


def _peak(wave: NDArray) -> float:
    """The largest sample of (n,), in dB below full scale."""
    return 20 * float(np.log10(max(float(np.abs(wave).max()), 1e-9)))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
