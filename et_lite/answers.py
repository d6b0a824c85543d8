"""What the demo answers about one sound file: pure functions from a file to sounds and pictures.

`rebuild` is one method at one kept fraction, `sweep` is the same at every fraction.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from et_lite import audio, plotting
from et_lite.codec import ElasticCodec, shipped, sound
from et_lite.config import SYSTEMS
from et_lite.payload import ElasticPayload
from et_lite.solvers import SOLVERS
from et_lite.sweep import KEEPS, RATE, Cell, Listener, Row, encode, measure, measure_alone, reads

LONGEST, SHORTEST = 60.0, 0.2  # seconds; the second holds a whole window of the mel distance
RATES = (8000, 192_000)  # hertz
TRAINED = "as trained"  # the solver that a model was trained with
HEADS = ["kept fraction", "frames a second", "mel distance", "latent error"]


@dataclass(frozen=True)
class Answer:
    """One sound through one method: its files, what is kept of it, and the numbers."""

    original: Path  # WAV
    ceiling: Path  # WAV, the autoencoder alone
    rebuilt: Path  # WAV
    payload: Path  # .etp
    boundaries: str  # a picture as HTML
    facts: dict[str, str]


@dataclass(frozen=True)
class Sweep:
    """The rate-distortion curve of one sound, and the chosen point on it."""

    chosen: list[float]  # as HEADS, like the next two
    ceiling: list[float]  # the autoencoder alone
    rows: list[list[float]]  # every rate that the method reaches, the lowest first
    pictures: str  # HTML


@lru_cache(maxsize=len(SYSTEMS))
def codec_of(system: str) -> ElasticCodec:
    """A shipped model, loaded once. ValueError for any other, a path among them."""
    if system not in shipped():
        raise ValueError(f"method {system!r} is not one of {', '.join(shipped())}: choose one")
    return ElasticCodec.from_pretrained(system)


def solvers_of(system: str) -> list[str]:
    """The solvers that a method takes, the one it was trained with first."""
    method = codec_of(system).method
    return [TRAINED, *(solver for solver in SOLVERS if reads(method, solver))]


def load(source: str | Path | None) -> tuple[NDArray, int]:
    """A sound file as (S, n) and its rate in hertz.

    ValueError when there is none, and for what is no sound, too long or short, or not mono or
    stereo at a usual rate. It names the file without its folder, which is the server's own.
    """
    if source is None:
        raise ValueError("there is no sound yet: upload, record or choose a clip")
    path = Path(source)
    _check_header(path)
    try:
        wave, rate = audio.read(path, LONGEST)
    except ValueError as error:
        raise ValueError(str(error).replace(str(path), path.name)) from error
    if wave.shape[1] < SHORTEST * rate:
        seconds = wave.shape[1] / rate
        raise ValueError(f"{path.name} lasts {seconds:.3f} s: give {SHORTEST} s or more")
    return wave, rate


def _check_header(path: Path) -> None:
    """ValueError for more channels or samples a second than a small server should decode."""
    try:
        told = soundfile.info(path)
    except soundfile.LibsndfileError:
        return  # audio.read says what is wrong
    if told.channels > 2:
        raise ValueError(f"{path.name} has {told.channels} channels: mix it to mono or stereo")
    low, high = RATES
    if not low <= told.samplerate <= high:
        raise ValueError(
            f"{path.name} is at {told.samplerate} Hz, outside {low} to {high}: resample it"
        )


def rebuild(source: str | Path | None, system: str, solver: str, keep: float, to: Path) -> Answer:
    """Compress and decompress a file, with what comes of it written into the folder `to`.

    Sounds are 16-bit WAV as loud as they are. ValueError as in `load` and `ElasticCodec.compress`
    (book: chunking).
    """
    wave, rate = load(source)
    codec = codec_of(system)
    analysis = codec.analyse(wave, rate, _named(solver), keep=keep)
    payload = codec.pack(analysis, keep)
    name = re.sub(r"[^\w-]+", "_", Path(str(source)).stem)[:60]
    stored = to / f"{name}.{system}-{payload.kept}.etp"
    payload.save(stored)
    heard = {
        "original": wave,
        "autoencoder": sound(codec.autoencoder, analysis.outer, rate, wave.shape[1]),
        # As anyone hears it who decodes the file, whose numbers are in half precision.
        f"{system}-{payload.kept}": codec.decompress(ElasticPayload.load(stored)),
    }
    files = [to / f"{name}.{version}.wav" for version in heard]
    for file, samples in zip(files, heard.values(), strict=True):
        audio.write(file, samples, rate)
    return Answer(
        original=files[0],
        ceiling=files[1],
        rebuilt=files[2],
        payload=stored,
        boundaries=_boundaries(wave, codec, payload),
        facts=payload.facts(stored.stat().st_size),
    )


def _boundaries(wave: NDArray, codec: ElasticCodec, payload: ElasticPayload) -> str:
    """Which frames of (S, n) are kept, over the spectrogram of its mono mix."""
    streams = codec.segmentations(payload)
    names = ["kept"] if len(streams) == 1 else ["left", "right"]
    choices = dict(zip(names, streams, strict=True))
    mono = wave.mean(axis=0)
    figure = plotting.boundaries_over(mono, payload.sample_rate, choices, payload.latent_rate)
    # A long clip would have several frames to a pixel.
    width, height = figure.get_size_inches()
    seconds = payload.samples / payload.sample_rate
    figure.set_size_inches(width * float(np.clip(seconds / 6, 1.5, 5)), height)
    return plotting.image(
        figure,
        f"Spectrogram, and under it the {payload.kept} of {payload.frames} frames that are kept",
    )


def sweep(source: str | Path | None, system: str, solver: str, keep: float) -> Sweep:
    """Distances of a file's mono mix, at 22 050 Hz, at every kept fraction and at `keep`.

    Fractions that the method does not reach are left out; in place of `keep` stands what it makes
    of it. ValueError as in `rebuild` (book: evaluation).
    """
    wave, rate = load(source)
    mono = audio.resample(wave.mean(axis=0, keepdims=True), rate, RATE)[0]
    codec = codec_of(system)
    listener, encoded = Listener(mono), encode(codec.autoencoder, mono)
    name = _named(solver) or codec.solver
    own = Cell(name, keep)
    cells = [own, *(Cell(name, other) for other in KEEPS if other != keep)]
    found = measure(codec, encoded, listener, cells)
    point = found[own.name]
    if not point["reached"]:
        nearest = Cell(name, point["kept"] / point["frames"])  # type: ignore[operator]
        point = measure(codec, encoded, listener, [nearest])[nearest.name]
    alone = measure_alone(codec.autoencoder, encoded, listener)
    reached = [row for row in found.values() if row["reached"]]
    curve = {row["kept"]: _numbers(row, codec) for row in [*reached, point]}
    rows = sorted(curve.values())
    chosen, ceiling = _numbers(point, codec), _numbers(alone, codec)
    return Sweep(chosen, ceiling, rows, _curves(f"{system}, {name}", chosen, ceiling, rows))


def _named(solver: str) -> str | None:
    return None if solver == TRAINED else solver


def _numbers(row: Row, codec: ElasticCodec) -> list[float]:
    """What `HEADS` names of a row that `sweep.measure` made."""
    kept, frames, mel, latent = (
        float(row[name] or 0) for name in ("kept", "frames", "mel_distance", "latent_error")
    )
    return [kept / frames, codec.latent_rate * kept / frames, mel, latent]


def _curves(name: str, chosen: list[float], ceiling: list[float], rows: list[list[float]]) -> str:
    """Mel distance and latent error against frames a second, with the chosen point."""
    pictures = []
    for column in (2, 3):
        curves = {"sweep": _columns(rows, column), "chosen": _columns([chosen], column)}
        if column == 2:  # the latents of the autoencoder alone are those compared with
            ends = [rows[0], rows[-1]]
            curves["autoencoder"] = ([row[1] for row in ends], [ceiling[2]] * 2)
        figure = plotting.lines(
            {f"{name} of this clip": curves}, HEADS[1], HEADS[column], height=2.8
        )
        alt = (
            f"{HEADS[column]} against {HEADS[1]}: {chosen[column]:.3g} at {chosen[1]:.1f}, and "
            f"{rows[0][column]:.3g} to {rows[-1][column]:.3g} from the lowest rate to the highest"
        )
        pictures.append(plotting.image(figure, alt))
    return "".join(pictures)


def _columns(rows: list[list[float]], column: int) -> plotting.Curve:
    return [row[1] for row in rows], [row[column] for row in rows]
