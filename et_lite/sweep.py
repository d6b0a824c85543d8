"""One crop through trained models at every kept fraction, by every solver (book: evaluation)."""

import base64
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from et_lite import audio
from et_lite.autoencoders import Autoencoder, fingerprint
from et_lite.codec import Analysis, ElasticCodec, shipped, sound
from et_lite.config import SYSTEMS
from et_lite.embeddings import Embedding
from et_lite.methods import ReBottleneck
from et_lite.metrics import Original
from et_lite.payload import ElasticPayload
from et_lite.segments import kept_length
from et_lite.solvers import SOLVERS

RATE = 22_050  # hertz, of every crop of the bundled sets
KEEPS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9, 1.0)
# Of one clip. FAD, which is of a whole set, is computed from the embeddings of many rows.
SOUND_METRICS = ("mel_distance", "stft_distance", "si_sdr")
LATENT_METRICS = ("inner_error", "latent_error")
CELL = ["system", "solver", "keep", "domain"]  # what names a cell in tables
Row = dict[str, float | bool | str | None]


class Cell(NamedTuple):
    """How a crop is shortened, and whether it becomes sound again."""

    solver: str
    keep: float
    heard: bool = True

    @property
    def name(self) -> str:
        """Its name in the cache."""
        return f"{self.solver} {self.keep!r}" + ("" if self.heard else " latents")


@dataclass(frozen=True)
class Model:
    """A trained model and what is asked of it. Models of one system differ by their seed."""

    codec: ElasticCodec
    system: str
    seed: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Listener:
    """What judges the reconstructions of one crop (n,) or (S, n). FAD's embedding may be left out.

    Embeddings are of the mean of its channels.
    """

    wave: np.ndarray
    embedding: Embedding | None = None
    rate: int = RATE  # hertz

    @cached_property
    def sound(self) -> np.ndarray:
        """The crop as (S, n)."""
        return np.atleast_2d(self.wave)

    @cached_property
    def _original(self) -> Original:
        return Original(self.sound, self.rate)

    def __call__(self, rebuilt: np.ndarray) -> Row:
        """Every metric of a reconstruction (S, n), and its embeddings as text."""
        row: Row = dict(self._original.distances(rebuilt))
        return row if self.embedding is None else {**row, "embeddings": self.embed(rebuilt)}

    def embed(self, wave: np.ndarray) -> str:
        """The embeddings of (S, n) samples as text."""
        assert self.embedding is not None
        return packed(self.embedding(wave.mean(axis=0), self.rate))


def packed(rows: np.ndarray) -> str:
    """Embeddings (windows, d) as text in float16, the precision of fadtk's own files."""
    return f"{len(rows)} " + base64.b64encode(rows.astype(np.float16).tobytes()).decode()


def unpacked(text: str) -> np.ndarray:
    """What `packed` wrote, (windows, d) float64."""
    windows, numbers = text.split()
    found = np.frombuffer(base64.b64decode(numbers), np.float16)
    return found.reshape(int(windows), -1).astype(np.float64)


class Encoded(NamedTuple):
    """A crop's outer latents x (S, C, T), and the seconds that they took."""

    latents: Tensor
    seconds: float


def load_models(
    names: Sequence[str | Path] = (),
    keeps: Sequence[float] = KEEPS,
    solvers: Sequence[str] = (),
    heard: bool = True,
) -> list[Model]:
    """Models by name or path, or all that ship, each with its cells.

    `solvers` come beside a model's own where its method reads them. ValueError for what cannot be
    swept or cannot be compared.
    """
    for keep in keeps:
        kept_length(1, keep)
    for solver in solvers:
        if solver not in SOLVERS:
            raise ValueError(f"solver {solver!r} is not one of {', '.join(SOLVERS)}: name one")
    models: list[Model] = []
    for name in names or shipped():
        models.append(_model(name, keeps, solvers, heard))
        _share(models[0].codec, models[-1].codec)
    if not models or not keeps:
        raise ValueError(f"there are {len(models)} models and {len(keeps)} fractions: name some")
    for solver in solvers:
        if not any(cell.solver == solver for model in models for cell in model.cells):
            raise ValueError(f"solver {solver!r} is for none of these models: add et-greedy")
    _check_comparable(models)
    return models


def _model(name: str | Path, keeps: Sequence[float], solvers: Sequence[str], heard: bool) -> Model:
    codec = ElasticCodec.from_pretrained(name)
    seed = codec.method.config.seed
    # Seeds beyond the first are stored as NAME.SEED; et-dp@0.5 is no seed of et-dp@0.
    system = codec.name if codec.name in SYSTEMS else codec.name.removesuffix(f".{seed}")
    usable = [solver for solver in (codec.solver, *solvers) if reads(codec.method, solver)]
    return Model(
        codec,
        system,
        seed,
        tuple(Cell(s, keep, heard) for s in dict.fromkeys(usable) for keep in dict.fromkeys(keeps)),
    )


def _share(first: ElasticCodec, codec: ElasticCodec) -> None:
    """Give a codec the first one's autoencoder where it is the same: large ones are held once."""
    if fingerprint(codec.autoencoder) == fingerprint(first.autoencoder):
        codec.autoencoder = first.autoencoder


def reads(method: ReBottleneck, solver: str) -> bool:
    """Whether a method can choose by this solver; some have their own way only."""
    try:
        method.path(torch.zeros(method.config.network.channels, 2), solver)
    except ValueError:
        return False
    return True


def _check_comparable(models: Sequence[Model]) -> None:
    """ValueError unless all have one autoencoder and no two are the same seed of a system."""
    first = models[0]
    for index, model in enumerate(models):
        mine, other = model.codec.autoencoder, first.codec.autoencoder
        if mine is not other:  # shared where they are the same
            raise ValueError(
                f"{model.codec.name} belongs to {mine.name} and {first.codec.name} to "
                f"{other.name}: evaluate models of one autoencoder at a time"
            )
        for earlier in models[:index]:
            if (earlier.system, earlier.seed) == (model.system, model.seed):
                raise ValueError(
                    f"{earlier.codec.name} and {model.codec.name} are both {model.system} with "
                    f"seed {model.seed}: name one of them"
                )


def encode(autoencoder: Autoencoder, wave: np.ndarray, rate: int = RATE) -> Encoded:
    """Posterior mean of a crop (n,) or (S, n): the same for every model."""
    begin = time.perf_counter()
    at_rate = audio.resample(np.atleast_2d(wave), rate, autoencoder.sample_rate)
    latents = autoencoder.encode(torch.from_numpy(at_rate)).mean
    return Encoded(latents, time.perf_counter() - begin)


def measure_alone(autoencoder: Autoencoder, encoded: Encoded, listener: Listener) -> Row:
    """The row of the autoencoder by itself, which bounds every model's."""
    begin = time.perf_counter()
    rebuilt = rebuild(autoencoder, encoded.latents, listener)
    seconds = encoded.seconds + time.perf_counter() - begin
    frames = encoded.latents.shape[-1]
    size: Row = {"frames": frames, "kept": frames, "reached": True, "side_bits": 0.0}
    return {**size, **listener(rebuilt), "latent_error": 0.0, "seconds": seconds}


def rebuild(autoencoder: Autoencoder, x: Tensor, listener: Listener) -> np.ndarray:
    """The sound of outer latents (S, C, T), with the rate, length and channels of the original."""
    channels, samples = listener.sound.shape
    return sound(autoencoder, x, listener.rate, samples, channels)


@torch.no_grad()
def measure(
    codec: ElasticCodec, encoded: Encoded, listener: Listener, cells: Iterable[Cell]
) -> dict[str, Row]:
    """A row for each cell by its name. All cells share one analysis of the crop.

    `seconds` are those that compressing and decompressing the crop at this cell alone would take,
    without the sound where none is made. A cell that the method cannot reach has its size alone.
    """
    rows: dict[str, Row] = {}
    heard: dict[str, Future[Row]] = {}
    cells, samples = list(cells), listener.sound.shape[1]
    begin = time.perf_counter()
    bare = codec.recode(encoded.latents, listener.rate, samples)
    recoding = time.perf_counter() - begin
    # A reconstruction is judged while the next one is made: both take about as long.
    with ThreadPoolExecutor(1) as beside:
        for solver in dict.fromkeys(cell.solver for cell in cells):
            begin = time.perf_counter()
            analysis = codec.with_solver(bare, solver)
            analysing = recoding + time.perf_counter() - begin
            for cell in (cell for cell in cells if cell.solver == solver):
                begin = time.perf_counter()
                at = codec.at(analysis, cell.keep)
                before = analysing if at is analysis else 0.0  # else it was analysed just now
                payload = codec.pack(at, cell.keep)
                row = rows[cell.name] = _size(payload)
                if payload.reached:
                    x = torch.cat([codec.latents(*kept) for kept in _kept(payload)])
                    if cell.heard:
                        rebuilt = rebuild(codec.autoencoder, x, listener)
                        heard[cell.name] = beside.submit(listener, rebuilt)
                    row["seconds"] = encoded.seconds + before + time.perf_counter() - begin
                    row |= latent_errors(codec, at, payload, x)
    for name, found in heard.items():
        rows[name] |= found.result()
    return rows


def _kept(payload: ElasticPayload) -> Iterator[tuple[Tensor, Tensor]]:
    """Anchors (C, N) and lengths (N,) of every stream."""
    for anchors, lengths in zip(payload.anchors, payload.lengths, strict=True):
        yield torch.from_numpy(anchors), torch.from_numpy(lengths)


def _size(payload: ElasticPayload) -> Row:
    return {
        "frames": payload.frames,
        "kept": payload.kept,
        "reached": payload.reached,
        "side_bits": payload.side_information_bits,
    }


def latent_errors(codec: ElasticCodec, at: Analysis, payload: ElasticPayload, x: Tensor) -> Row:
    """Mean squared errors before and after the method's decoder.

    `inner_error` compares z with what comes back of what is kept of it. It means something
    between solvers on the same weights alone, since every model has inner latents of its own.
    """
    inner = [codec.method.unpack(*kept) for kept in _kept(payload)]
    errors = [float((i - z).square().mean()) for i, z in zip(inner, at.latents, strict=True)]
    return {
        "inner_error": float(np.mean(errors)),
        "latent_error": float((x - at.outer).square().mean()),
    }
