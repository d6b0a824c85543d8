"""Sound files to shards of latents, in parallel and resumable (book: scale)."""

import csv
import hashlib
import json
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile
import torch
from tqdm.auto import tqdm

from et_lite import audio
from et_lite.autoencoders import Autoencoder
from et_lite.data import CORPUS_RATE, DOMAINS, LatentStore
from et_lite.layers import Posterior
from et_lite.shards import notes
from et_lite.storage import atomic_path, remove_leftovers

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
SHARD_BYTES = 32 << 20  # 1.7 hours at 64 channels and 21.5 Hz; a kill loses no more than that
REPORT = "skipped.csv"
Wave = tuple[np.ndarray, int]  # (S, n) samples and their rate in hertz
Latents = tuple[np.ndarray, np.ndarray]  # mean and scale of a clip, each (T, C) float16


@dataclass(frozen=True)
class Sound:
    """What becomes one or more clips: its name, its domain, and what reads its pieces."""

    name: str
    domain: str
    pieces: Callable[[], Iterable[Wave]]


@dataclass(frozen=True)
class Summary:
    """What a folder of shards holds, and why sounds are missing from it, by name."""

    sounds: int
    clips: int
    frames: int
    shards: int
    skipped: dict[str, str]


def folder_sounds(root: Path, domain: str, longest: float) -> list[Sound]:
    """The sound files under a folder, by name; hidden ones are left out.

    A file under a folder that is called as a domain is of that domain. Files give pieces of at
    most `longest` seconds. ValueError for an unknown domain, pieces under 1 s, or no file.
    """
    if domain not in DOMAINS:
        raise ValueError(f"domain {domain!r} is not one of {', '.join(DOMAINS)}: choose one")
    if not longest >= 1:
        raise ValueError(f"pieces of {longest:g} s are too short: take 1 s or more")
    files = [f for f in root.rglob("*") if f.suffix.lower() in SUFFIXES and f.is_file()]
    names = sorted(f.relative_to(root).as_posix() for f in files if not f.name.startswith("."))
    if not names:
        raise ValueError(f"{root} has no sound files ({', '.join(SUFFIXES)}): name another folder")
    return [
        Sound(
            name,
            next((part for part in Path(name).parts[:-1] if part in DOMAINS), domain),
            partial(file_pieces, root / name, longest),
        )
        for name in names
    ]


def corpus_sounds(clips: Iterable[tuple[str, np.ndarray]]) -> Iterator[Sound]:
    """The clips of `corpus_clips`, each named by its contents."""
    for domain, wave in clips:
        name = f"{domain} {hashlib.sha256(wave.data).hexdigest()[:16]}"
        yield Sound(name, domain, partial(tuple, [(wave[None], CORPUS_RATE)]))


def file_pieces(path: Path, longest: float) -> Iterator[Wave]:
    """A file in equal pieces of at most `longest` seconds, one at a time in memory.

    ValueError for one that is not audio or has no samples.
    """
    try:
        with soundfile.SoundFile(path) as file:
            most = max(1, int(longest * file.samplerate))
            # The header's word for the length; what is read ends with the file all the same.
            count = max(1, -(-file.frames // most))
            size = min(most, -(-file.frames // count))
            wave = file.read(size, dtype="float32", always_2d=True)
            audio.check(wave.T, file.samplerate)
            while len(wave):
                yield np.ascontiguousarray(wave.T), file.samplerate
                wave = file.read(size, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"not readable audio ({str(error.error_string).rstrip('.')})") from error


def encode(autoencoder: Autoencoder, sound: Sound) -> list[Latents]:
    """The clips of a sound, at the autoencoder's own rate: one for every piece and stream.

    ValueError for a sound that cannot be read or encoded.
    """
    clips: list[Latents] = []
    for wave, rate in sound.pieces():
        audio.check(wave, rate)
        at_rate = audio.resample(wave, rate, autoencoder.sample_rate)
        posterior = autoencoder.encode(torch.from_numpy(at_rate))
        for mean, scale in zip(posterior.mean, posterior.scale, strict=True):
            pair = mean.t().half().numpy(), scale.t().half().numpy()
            if not all(np.isfinite(array).all() for array in pair):
                raise ValueError("its latents are not finite in float16")
            clips.append(pair)
    return clips


def preencode(
    sounds: Iterable[Sound],
    load: Callable[[], Autoencoder],
    output: Path,
    workers: int = 1,
    shard_bytes: int = SHARD_BYTES,
) -> Summary:
    """Encode into `output` what its shards do not hold yet; what cannot be is listed beside them.

    `load` makes the autoencoder, once in every process. Sounds are known by name. ValueError when
    the folder holds another autoencoder's latents, or when a worker process dies.
    """
    output.mkdir(parents=True, exist_ok=True)
    remove_leftovers(output)
    autoencoder = load()
    done = _held(output, autoencoder.identity)
    left = (sound for sound in sounds if sound.name not in done)
    shard, skipped = _Shard(output, autoencoder.identity, shard_bytes), dict[str, str]()
    total = sum(s.name not in done for s in sounds) if isinstance(sounds, Sequence) else None
    with tqdm(total=total, unit="sound", disable=None) as bar:
        try:
            for sound, found in _encoded(left, autoencoder, load, workers):
                if isinstance(found, str):
                    skipped[sound.name] = found
                    bar.set_postfix(skipped=len(skipped))
                else:
                    shard.add(sound, found)
                bar.update()
        finally:  # what is encoded is kept, however this ends
            shard.close()
            _report(output, skipped)
    held, shards = _held(output, autoencoder.identity), len(list(output.glob("*.safetensors")))
    if not held:
        raise ValueError(f"none of the sounds could be encoded: see {output / REPORT}")
    store = LatentStore.load(output)
    return Summary(len(held), len(store.lengths), len(store.mean), shards, skipped)


def preencode_file(sounds: Iterable[Sound], autoencoder: Autoencoder, path: Path) -> None:
    """Encode into one file, all of it in memory; the first sound that cannot be ends it."""
    encoded = (
        (sound.domain, _posterior(*clip))
        for sound in tqdm(sounds, disable=None, unit="clip")
        for clip in encode(autoencoder, sound)
    )
    LatentStore.collect(encoded, autoencoder.identity).save(path)


class _Shard:
    """Clips on their way into the next file of a folder."""

    def __init__(self, folder: Path, made_by: str, limit: int) -> None:
        self.folder, self.made_by, self.limit = folder, made_by, limit
        self.names: list[str] = []
        self.clips: list[tuple[str, Latents]] = []
        self.bytes = 0

    def add(self, sound: Sound, clips: list[Latents]) -> None:
        """Take a whole sound; a shard that is full is written."""
        self.names.append(sound.name)
        self.clips += [(sound.domain, clip) for clip in clips]
        self.bytes += sum(mean.nbytes + scale.nbytes for mean, scale in clips)
        if self.bytes >= self.limit:
            self.close()

    def close(self) -> None:
        """Write what there is: latents and the sounds' names in one file, at once."""
        if self.clips:
            store = LatentStore.collect(
                ((domain, _posterior(*clip)) for domain, clip in self.clips), self.made_by
            )
            taken = [int(file.stem) for file in self.folder.glob("*.safetensors")]
            path = self.folder / f"{max(taken, default=-1) + 1:06}.safetensors"
            store.save(path, {"sounds": json.dumps(self.names), "digest": store.digest()})
        self.names, self.clips, self.bytes = [], [], 0


def _posterior(mean: np.ndarray, scale: np.ndarray) -> Posterior:
    """(T, C) arrays as a posterior over (1, C, T)."""
    return Posterior(torch.from_numpy(mean).t()[None], torch.from_numpy(scale).t()[None])


def _held(folder: Path, made_by: str) -> set[str]:
    """The names of the sounds in a folder's shards. ValueError if another autoencoder made them."""
    names: set[str] = set()
    for file in sorted(folder.glob("*.safetensors")):
        said = notes(file)
        if "sounds" not in said or said.get("made_by") != made_by:
            raise ValueError(
                f"{file} holds other latents than this command makes: name an empty folder"
            )
        names |= set(json.loads(said["sounds"]))
    return names


def _report(folder: Path, skipped: dict[str, str]) -> None:
    """List what was skipped and why; no file where nothing was."""
    (folder / REPORT).unlink(missing_ok=True)
    if skipped:
        with (
            atomic_path(folder / REPORT) as temporary,
            open(temporary, "w", newline="", encoding="utf-8", errors="backslashreplace") as file,
        ):
            csv.writer(file).writerows([["file", "reason"], *sorted(skipped.items())])


def _encoded(
    sounds: Iterable[Sound],
    autoencoder: Autoencoder,
    load: Callable[[], Autoencoder],
    workers: int,
) -> Iterator[tuple[Sound, list[Latents] | str]]:
    """Each sound with its clips, or with why it has none; in order."""
    if workers == 1:
        yield from ((sound, _try(autoencoder, sound)) for sound in sounds)
    else:
        threads = max(1, (os.cpu_count() or 1) // workers)
        # Not a fork: torch's threads do not survive one.
        with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (load, threads)) as pool:
            yield from _in_order(pool, sounds, 4 * workers)


def _in_order(
    pool: ProcessPoolExecutor, sounds: Iterable[Sound], ahead: int
) -> Iterator[tuple[Sound, list[Latents] | str]]:
    """Results in the order of the sounds, of which no more than `ahead` are under way."""
    waiting: deque[tuple[Sound, Future[list[Latents] | str]]] = deque()

    def first() -> tuple[Sound, list[Latents] | str]:
        found = waiting[0][1].result()
        return waiting.popleft()[0], found

    try:
        for sound in sounds:
            waiting.append((sound, pool.submit(_in_worker, sound)))
            if len(waiting) == ahead:
                yield first()
        while waiting:
            yield first()
    except BrokenProcessPool as error:
        names = ", ".join(sound.name for sound, _ in waiting)
        raise ValueError(
            f"a worker process died at one of {names}: take fewer --workers if memory ran out, or "
            "leave that file out; the same command goes on from there"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_own: list[Autoencoder] = []  # a worker process's autoencoder


def _begin(load: Callable[[], Autoencoder], threads: int) -> None:
    """Ready a worker process."""
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - bars of its own would write over ours
    torch.set_num_threads(threads)
    _own.append(load())


def _in_worker(sound: Sound) -> list[Latents] | str:
    return _try(_own[0], sound)


def _try(autoencoder: Autoencoder, sound: Sound) -> list[Latents] | str:
    """A sound's clips, or one line on why it has none."""
    try:
        return encode(autoencoder, sound)
    except (ValueError, OSError, RuntimeError) as error:  # the last one is what torch raises
        return " ".join(str(error).split())
