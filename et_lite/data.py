"""Pre-encoded latents: how they are stored and how training draws crops from them."""

import csv
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from torch import Tensor

from et_lite.layers import Posterior
from et_lite.storage import atomic_path

DOMAINS = ("music", "speech", "effects")
ARRAYS = ("mean", "scale", "lengths", "domains")
EVALUATION_SECONDS = 10
GAP_SECONDS, SHORTEST, LONGEST = 0.2, 10.0, 30.0  # seconds of a joined clip, and between files


@dataclass(frozen=True)
class LatentStore:
    """Posterior means and scales of many clips, end to end: (total frames, C) float16.

    `starts` and `lengths` (clips,) find a clip, `domains` (clips,) say what it is, `made_by` is
    the identity of the autoencoder they belong to.
    """

    mean: np.ndarray
    scale: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    domains: np.ndarray
    made_by: str = ""

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
        """Read one file or every shard of a folder. ValueError for none, or no such thing."""
        path = Path(path)
        files = sorted(path.glob("[!.]*.safetensors")) if path.is_dir() else [path]
        if not files or not files[0].exists():
            raise ValueError(
                f"{path} holds no latents (*.safetensors): run et-lite preencode first"
            )
        shards, makers = zip(*[_read_shard(file) for file in files], strict=True)
        if len(set(makers)) > 1:
            raise ValueError(f"{path} holds latents of several autoencoders: keep those of one")
        # One shard stays where it is, mapped into memory; several are read into one.
        joined = {
            name: shards[0][name] if len(shards) == 1 else np.concatenate([s[name] for s in shards])
            for name in ARRAYS
        }
        lengths = joined["lengths"]
        return cls(starts=lengths.cumsum() - lengths, made_by=makers[0], **joined)

    def save(self, path: str | Path) -> None:
        """Write one safetensors file."""
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in ARRAYS}
        with atomic_path(path) as temporary:
            save_file(arrays, temporary, metadata={"made_by": self.made_by})

    def digest(self) -> str:
        """SHA-256 over all that training reads, to tell one set of latents from another."""
        digest = hashlib.sha256(self.made_by.encode())
        for name in ARRAYS:
            digest.update(np.ascontiguousarray(getattr(self, name)).data)
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
        groups = [np.flatnonzero((self.domains == d) & (self.lengths >= frames)) for d in range(3)]
        groups = [g for g in groups if len(g)]
        if not groups:
            raise ValueError(
                f"no clip has {frames} latent frames (the longest has {self.lengths.max()}): "
                "train with fewer frames or pre-encode longer files"
            )
        chosen = []
        for group in (groups[i] for i in numbers.integers(len(groups), size=size)):
            weights = (self.lengths[group] - frames + 1).astype(float)
            clip = numbers.choice(group, p=weights / weights.sum())
            first = self.starts[clip] + numbers.integers(self.lengths[clip] - frames + 1)
            chosen.append(np.arange(first, first + frames))
        rows = np.stack(chosen)
        posterior = Posterior(_columns(self.mean[rows]), _columns(self.scale[rows]))
        return posterior.sample(noise)


def _read_shard(file: Path) -> tuple[dict[str, np.ndarray], str]:
    """The arrays of one file and the autoencoder that made them."""
    try:
        with safe_open(file, framework="pt") as opened:  # torch maps the file, numpy reads it
            arrays = {name: opened.get_tensor(name).numpy() for name in ARRAYS}
            return arrays, (opened.metadata() or {}).get("made_by", "")
    except SafetensorError as error:
        raise ValueError(f"{file} does not hold latents ({error}): pre-encode again") from error


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
    """One evaluation crop: its name, domain, the unit that intervals resample, samples (n,)."""

    name: str
    domain: str
    unit: str
    wave: np.ndarray


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
