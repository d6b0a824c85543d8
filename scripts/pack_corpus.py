"""Carry a corpus to a training machine that cannot build it: Opus parts of a limited size.

    python scripts/pack_corpus.py pack corpus parts --megabytes 40 --parts 3
    python scripts/pack_corpus.py unpack parts corpus     # there; needs soundfile and soxr

`unpack` adds whatever parts lie in the folder, so parts may come one by one. Domains share the room
in proportion to their weights in training; files are drawn at random and cut to a minute.
"""

import argparse
import csv
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
from corpus_store import RATE, atomic, read_manifest

OPUS_RATE = 24_000  # Opus does not know 22.05 kHz
SHARES = {"music": 0.5, "speech": 0.25, "effects": 0.25}
LONGEST = 60 * RATE
LEVEL = 0.75  # libsndfile's scale from 256 kbit/s (0) to 6 kbit/s (1): about 64 kbit/s
FIELDS = ("domain", "split", "set", "start", "samples")


def pack(root: Path, parts: Path, megabytes: float, count: int) -> None:
    """Write `count` folders of about `megabytes` each; each of their six kinds ends with a file."""
    rows = read_manifest(root / "manifest.csv")
    chance = random.Random(0)
    for domain, share in SHARES.items():
        audio = np.load(root / "audio" / f"{domain}-train.npy", mmap_mode="r")
        for split, room in (("valid", 0.04), ("train", 0.96)):
            mine = [r for r in rows if (r["domain"], r["split"]) == (domain, split)]
            chance.shuffle(mine)
            waiting = iter(mine)
            for part in range(count):
                limit = share * room * megabytes * 1e6
                folder = parts / f"part-{part}" / f"{domain}-{split}"
                write_until(limit, folder, waiting, audio, chance)


def write_until(
    limit: float,
    folder: Path,
    rows: Iterator[dict[str, str]],
    audio: np.ndarray,
    chance: random.Random,
) -> None:
    """Opus files of a few minutes, joined from rows, until the limit or the end of the rows."""
    size = number = 0
    while size < limit:
        pieces, starts = [], []
        for row in rows:
            samples = min(int(row["samples"]), LONGEST)
            start = int(row["start"]) + chance.randrange(int(row["samples"]) - samples + 1)
            starts.append((row["set"], sum(map(len, pieces)), samples))
            pieces.append(audio[start : start + samples])
            if sum(map(len, pieces)) > 3 * LONGEST:
                break
        if not pieces:
            return
        wave = np.concatenate(pieces).astype(np.float32) / 32768
        path = folder / f"{number:04d}.opus"
        coded = soxr.resample(wave, RATE, OPUS_RATE).clip(-1, 1)
        lines = "".join(f"{name},{at},{samples}\n" for name, at, samples in starts)
        with atomic(path.with_suffix(".csv")) as temporary:
            temporary.write_text(lines)
        with atomic(path) as temporary:
            soundfile.write(
                temporary, coded, OPUS_RATE, format="OGG", subtype="OPUS", compression_level=LEVEL
            )
        size, number = size + path.stat().st_size, number + 1


def unpack(parts: Path, root: Path) -> None:
    """Decode every part into the layout of scripts/build_corpus.py."""
    rows = []
    for domain in SHARES:
        waves, end = [], 0
        for split in ("train", "valid"):
            for path in sorted(parts.glob(f"*/{domain}-{split}/*.opus")):
                wave, rate = soundfile.read(path, dtype="float32")
                wave = soxr.resample(wave, rate, RATE)
                waves.append((wave.clip(-1, 1) * 32767).astype(np.int16))
                for line in path.with_suffix(".csv").read_text().splitlines():
                    name, at, samples = line.split(",")
                    rows.append((domain, split, name, end + int(at), int(samples)))
                end += len(wave)
        with atomic(root / "audio" / f"{domain}-train.npy") as temporary:
            np.save(temporary, np.concatenate(waves))
    with (
        atomic(root / "manifest.csv") as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as file,
    ):
        csv.writer(file).writerows([FIELDS, *rows])


def main() -> int:
    """Pack or unpack."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("do", choices=("pack", "unpack"))
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--megabytes", type=float, default=40, help="of one part, about")
    parser.add_argument("--parts", type=int, default=3)
    given = parser.parse_args()
    if given.do == "pack":
        pack(given.source, given.target, given.megabytes, given.parts)
    else:
        unpack(given.source, given.target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
