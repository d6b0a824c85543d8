"""Pre-encoded latents: how they are stored and how training draws crops from them."""

import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import Tensor

from et_lite.layers import Posterior
from et_lite.shards import ClipGroup, Spliced, mapped, notes
from et_lite.storage import atomic_path

DOMAINS = ("music", "speech", "effects")
ARRAYS = ("mean", "scale", "lengths", "domains")
CORPUS_RATE = 22_050  # hertz, of all that scripts/build_corpus.py stores
EVALUATION_SECONDS = 10
GAP_SECONDS, SHORTEST, LONGEST = 0.2, 10.0, 30.0  # seconds of a joined clip, and between files


@dataclass(frozen=True)
class LatentStore:
    """Posterior means and scales of many clips, end to end: (total frames, C) float16.

    `starts` and `lengths` (clips,) find a clip, `domains` (clips,) say what it is, `made_by` is
    the identity of the autoencoder they belong to.
    """

    mean: np.ndarray | Spliced
    scale: np.ndarray | Spliced
    starts: np.ndarray
    lengths: np.ndarray
    domains: np.ndarray
    made_by: str = ""
    _drawn: dict[int, list[ClipGroup]] = field(init=False, repr=False, default_factory=dict)

    @classmethod
    def collect(cls, clips: Iterable[tuple[str, Posterior]], made_by: str = "") -> "LatentStore":
        """Join posteriors (1, C, T), each with its domain's name. ValueError when there is none."""
        means, scales, lengths, domains = [], [], [], []
        for domain, posterior in clips:
            means.append(posterior.mean[0].t().half().numpy())
            scales.append(posterior.scale[0].t().half().numpy())
            lengths.append(len(means[-1]))
            domains.append(DOMAINS.index(domain))
        if not lengths:
            raise ValueError("there are 0 clips to store: ask for more minutes or other sets")
        sizes = np.array(lengths, dtype=np.int64)
        return cls(
            np.concatenate(means),
            np.concatenate(scales),
            sizes.cumsum() - sizes,
            sizes,
            np.array(domains, dtype=np.int64),
            made_by,
        )

    @classmethod
    def load(cls, path: str | Path) -> "LatentStore":
        """One file or every shard of a folder, mapped into memory and not read (book: scale).

        ValueError for none, or no such thing.
        """
        path = Path(path)
        files = sorted(path.glob("[!.]*.safetensors")) if path.is_dir() else [path]
        if not files or not files[0].exists():
            raise ValueError(
                f"{path} holds no latents (*.safetensors): run et-lite preencode first"
            )
        shards = [_read_shard(file, scattered=len(files) > 1) for file in files]
        if len({shard.made_by for shard in shards}) > 1:
            raise ValueError(f"{path} holds latents of several autoencoders: keep those of one")
        if len(shards) == 1:
            return shards[0]
        digest = "".join(
            notes(file).get("digest") or shard.digest()
            for file, shard in zip(files, shards, strict=True)
        )
        lengths = np.concatenate([shard.lengths for shard in shards])
        return cls(
            Spliced([np.asarray(shard.mean) for shard in shards], digest),
            Spliced([np.asarray(shard.scale) for shard in shards], digest),
            lengths.cumsum() - lengths,
            lengths,
            np.concatenate([shard.domains for shard in shards]),
            shards[0].made_by,
        )

    def save(self, path: str | Path, beside: Mapping[str, str] | None = None) -> None:
        """Write one safetensors file, with further `notes` in its header."""
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in ARRAYS}
        with atomic_path(path) as temporary:
            save_file(arrays, temporary, metadata={"made_by": self.made_by, **(beside or {})})

    def digest(self) -> str:
        """SHA-256 over all that training reads, to tell one set of latents from another."""
        digest = hashlib.sha256(self.made_by.encode())
        for array in (getattr(self, name) for name in ARRAYS):
            spliced = isinstance(array, Spliced)
            digest.update(array.digest.encode() if spliced else np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def of(self, domain: str) -> "LatentStore":
        """The same store with the clips of one domain only."""
        mine = self.domains == DOMAINS.index(domain)
        chosen = {name: getattr(self, name)[mine] for name in ("starts", "lengths", "domains")}
        return replace(self, **chosen)

    def clip(self, index: int) -> Posterior:
        """One whole clip's posterior, each (1, C, T)."""
        span = slice(self.starts[index], self.starts[index] + self.lengths[index])
        return Posterior(_columns(self.mean[span])[None], _columns(self.scale[span])[None])

    def batch(
        self, numbers: np.random.Generator, noise: torch.Generator, size: int, frames: int
    ) -> Tensor:
        """A fresh posterior sample of random crops, (B, C, frames) float32.

        Domains are drawn evenly and clips by length, so that speech, which comes in many short
        files, is heard as often as music. ValueError when no clip is long enough.
        """
        groups = self._groups(frames)
        chosen = []
        for group in (groups[i] for i in numbers.integers(len(groups), size=size)):
            clip = group.draw(numbers)
            first = self.starts[clip] + numbers.integers(self.lengths[clip] - frames + 1)
            chosen.append(np.arange(first, first + frames))
        rows = np.stack(chosen)
        posterior = Posterior(_columns(self.mean[rows]), _columns(self.scale[rows]))
        return posterior.sample(noise)

    def _groups(self, frames: int) -> list[ClipGroup]:
        """The clips of each domain that are long enough; made once, as they may be millions."""
        if frames not in self._drawn:
            places = self.lengths - frames + 1
            chosen = [np.flatnonzero((self.domains == d) & (places > 0)) for d in range(3)]
            self._drawn[frames] = [
                ClipGroup.of(clips, places[clips]) for clips in chosen if len(clips)
            ]
        if not self._drawn[frames]:
            raise ValueError(
                f"no clip has {frames} latent frames (the longest has {self.lengths.max()}): "
                "train with fewer frames or pre-encode longer files"
            )
        return self._drawn[frames]


def _read_shard(file: Path, scattered: bool) -> LatentStore:
    """One file, mapped. ValueError when it is something else."""
    arrays = mapped(file, scattered)
    if missing := [name for name in ARRAYS if name not in arrays]:
        raise ValueError(f"{file} has no {', '.join(missing)}: it does not hold latents")
    mean, scale, lengths, domains = (arrays[name] for name in ARRAYS)
    made_by = notes(file).get("made_by", "")
    return LatentStore(mean, scale, lengths.cumsum() - lengths, lengths, domains, made_by)


def _columns(rows: np.ndarray) -> Tensor:
    """(…, T, C) float16 rows as (…, C, T) float32."""
    return torch.from_numpy(rows.astype(np.float32)).transpose(-1, -2).contiguous()


def read_rows(table: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with open(table, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_manifest(root: Path, split: str) -> list[dict[str, str]]:
    """The files of one split in a corpus that `scripts/build_corpus.py` made."""
    return [row for row in read_rows(root / "manifest.csv") if row["split"] == split]


def open_audio(root: Path, domain: str, split: str) -> np.ndarray:
    """All samples of a domain, (n,) int16, mapped; a row's `start` counts from their beginning."""
    # Validation files lie among the training files.
    store = root / "audio" / f"{domain}-{'test' if split == 'test' else 'train'}.npy"
    return np.load(store, mmap_mode="r")


def corpus_clips(
    root: Path,
    split: str,
    minutes: float,
    rate: int,
    sets: Sequence[str] = (),
    free: bool = False,
    longest: float = LONGEST,
    seed: int = 0,
) -> Iterator[tuple[str, np.ndarray]]:
    """Clips of 10 s or more from the store of `scripts/build_corpus.py`: domain and (n,) in ±1.

    At most `minutes` a domain, from the named sets or from all; `free` leaves out what may not
    ship with this project. A file gives pieces of at most `longest` seconds, one before any file
    gives a second; short ones of one set are joined with 0.2 s of silence between them.
    ValueError when nothing matches, and for pieces shorter than a clip.
    """
    if longest < SHORTEST:
        raise ValueError(f"pieces of {longest:g} s are shorter than a clip: take {SHORTEST:g} s")
    rows = [row for row in read_manifest(root, split) if row["domain"] in DOMAINS]
    rows = [row for row in rows if not sets or row["set"] in sets]
    rows = [row for row in rows if not free or row["ships"] == "yes"]
    if not rows:
        raise ValueError(f"{root}/manifest.csv has no {split} files of these sets: check --sets")
    for domain in sorted({row["domain"] for row in rows}):
        audio = open_audio(root, domain, split)
        mine = [row for row in rows if row["domain"] == domain]
        left = minutes * 60 * rate
        for wave in _joined(mine, audio, rate, longest, np.random.default_rng(seed)):
            if left <= 0:
                break
            left -= len(wave)
            yield domain, wave


@dataclass(frozen=True)
class Crop:
    """One evaluation crop: its name, domain, the unit that intervals resample, and its samples."""

    name: str
    domain: str
    unit: str
    wave: np.ndarray  # (n,), or (S, n) in stereo
    rate: int = CORPUS_RATE  # hertz


def evaluation_crops(table: Path, root: Path, rate: int) -> Iterator[Crop]:
    """The crops of `assets/eval_v1.csv`, 10 s each, from a corpus with the test sets.

    ValueError names the first file that the corpus lacks (book: evaluation).
    """
    starts = {row["id"]: int(row["start"]) for row in read_manifest(root, "test")}
    rows = read_rows(table)
    stores = {d: open_audio(root, d, "test") for d in {row["domain"] for row in rows}}
    for name, pieces in groupby(rows, key=lambda row: row["crop"]):
        wave, place = np.zeros(EVALUATION_SECONDS * rate, np.float32), 0
        for row in pieces:
            if row["id"] not in starts:
                raise ValueError(
                    f"{root} lacks the file {row['id']} of {row['set']}: "
                    "build the corpus with --large"
                )
            first, samples = starts[row["id"]] + int(row["offset"]), int(row["samples"])
            piece = stores[row["domain"]][first : first + samples]
            wave[place : place + samples] = piece.astype(np.float32) / 32768
            place += samples + int(GAP_SECONDS * rate)
        yield Crop(name, row["domain"], row["unit"], wave)


def _joined(
    rows: list[dict[str, str]],
    audio: np.ndarray,
    rate: int,
    longest: float,
    numbers: np.random.Generator,
) -> Iterator[np.ndarray]:
    """Pieces of the files in random order, one of each before a second; short ones are joined.

    Long files give piece after piece from a random start; what is joined is of one set.
    """
    gap = np.zeros(int(GAP_SECONDS * rate), dtype=np.float32)
    waiting: dict[str, list[np.ndarray]] = {}
    for row, begin, length in _pieces(rows, int(longest * rate), numbers):
        start = int(row["start"]) + begin
        joined = waiting.setdefault(row["set"], [])
        joined += [audio[start : start + length].astype(np.float32) / 32768, gap]
        if sum(map(len, joined)) >= SHORTEST * rate:
            yield np.concatenate(joined[:-1])
            joined.clear()


def _pieces(
    rows: list[dict[str, str]], longest: int, numbers: np.random.Generator
) -> Iterator[tuple[dict[str, str], int, int]]:
    """Files, and where in them a piece of at most `longest` samples begins and how long it is."""
    files = []
    for index in numbers.permutation(len(rows)):
        samples = int(rows[index]["samples"])
        first = int(numbers.integers(max(0, samples - longest) + 1))
        after = [(b, min(longest, samples - b)) for b in range(first, samples, longest)]
        before = [(b, min(longest, first - b)) for b in range(0, first, longest)]
        files.append((rows[index], after + before))
    for place in range(max(len(pieces) for _, pieces in files)):
        for row, pieces in files:
            if place < len(pieces):
                yield row, *pieces[place]
