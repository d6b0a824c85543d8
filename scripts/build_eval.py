"""Fix the evaluation crops: assets/eval_v1.csv, 10 s each, from the test sets of a built corpus.

    python scripts/build_eval.py corpus

Music files give several crops each, spread evenly. Short speech and effects files of one speaker
or package are joined with 0.2 s of silence until 10 s are full, each file used once. Intervals
resample the column `unit`: the music file, or the joined crop, since its files are in no other.
"""

import argparse
import csv
import random
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from corpus_store import RATE

from et_lite.data import EVALUATION_SECONDS, GAP_SECONDS, open_audio, read_manifest
from et_lite.storage import ASSETS, atomic_path

LENGTH = EVALUATION_SECONDS * RATE
GAP = int(GAP_SECONDS * RATE)
QUIETEST = 10 ** (-45 / 20)  # a crop below −45 dBFS says little about anybody's codec
PER_MUSIC_FILE = 4
PER_SPEAKER = {"speech": 24, "effects": 100}  # one voice should not be a whole set
PER_DOMAIN = 132
FIELDS = ("crop", "domain", "set", "unit", "order", "id", "offset", "samples")
Row = dict[str, str]
Piece = tuple[Row, int, int]  # manifest row, first sample within the file, samples


def music_crops(rows: list[Row]) -> Iterator[list[Piece]]:
    """Crops at even distances through each file."""
    for row in rows:
        count = min(PER_MUSIC_FILE, int(row["samples"]) // LENGTH)
        room = int(row["samples"]) - count * LENGTH
        for index in range(count):
            yield [(row, index * LENGTH + room * (2 * index + 1) // (2 * count), LENGTH)]


def joined_crops(rows: list[Row], chance: random.Random) -> Iterator[list[Piece]]:
    """Files of one speaker in random order, joined until a crop is full."""
    speakers = defaultdict(list)
    for row in rows:
        speakers[speaker(row)].append(row)
    for name in sorted(speakers):
        files = sorted(speakers[name], key=lambda row: row["id"])
        chance.shuffle(files)
        crops: list[list[Piece]] = [[]]
        left = LENGTH
        for row in files:
            take = min(left, int(row["samples"]))
            crops[-1].append((row, 0, take))
            left -= take + GAP
            if left <= 0:
                crops.append([])
                left = LENGTH
        yield from crops[:-1][: PER_SPEAKER[files[0]["domain"]]]  # the last one is not full


def speaker(row: Row) -> str:
    """The set, and in it the language where a set has a folder for each."""
    folders = row["source"].split("/")
    language = folders[folders.index("klettres") + 1] if "klettres" in folders else ""
    return f"{row['set']} {language}"


def loud_enough(pieces: list[Piece], audio: np.ndarray) -> bool:
    """Whether the crop's level is above the floor."""
    spans = [audio[int(r["start"]) + at : int(r["start"]) + at + n] for r, at, n in pieces]
    wave = np.concatenate(spans).astype(np.float32) / 32768
    return float(np.sqrt(np.square(wave).sum() / LENGTH)) > QUIETEST


def choose(root: Path, seed: int = 0) -> list[dict[str, object]]:
    """Rows of the table, a piece each."""
    # Malayalam was recorded too loud: one sample in forty is clipped.
    rows = [row for row in read_manifest(root, "test") if "/klettres/ml/" not in row["source"]]
    table: list[dict[str, object]] = []
    for domain in ("music", "speech", "effects", "vocal"):
        mine = sorted((row for row in rows if row["domain"] == domain), key=lambda row: row["id"])
        chance = random.Random(seed)
        whole = domain in ("music", "vocal")
        crops = list(music_crops(mine) if whole else joined_crops(mine, chance))
        audio = open_audio(root, domain, "test")
        crops = [crop for crop in crops if loud_enough(crop, audio)]
        chance.shuffle(crops)
        for number, pieces in enumerate(crops[:PER_DOMAIN]):
            name = f"{domain}_{number:03d}"
            for order, (row, offset, samples) in enumerate(pieces):
                unit = row["id"] if whole else name
                values = (name, domain, row["set"], unit, order, row["id"], offset, samples)
                table.append(dict(zip(FIELDS, values, strict=True)))
    return table


def main() -> int:
    """Write the table; exit code 2 when the corpus is not there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path, help="folder that scripts/build_corpus.py made")
    root = parser.parse_args().corpus
    if not (root / "manifest.csv").is_file():
        print(f"{root} has no manifest.csv: run scripts/build_corpus.py --large first")
        return 2
    table = choose(root)
    with (
        atomic_path(ASSETS / "eval_v1.csv") as path,
        open(path, "w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
