"""The crops of public test sets: one chunk of every item, from a random place.

The paper draws its crops so too, the same for all systems, and does not say how long they are. Ten
seconds are those of the bundled evaluation.
"""

import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from et_lite import audio
from et_lite.data import Crop
from et_lite.evaluation import spread
from et_lite.testsets.hub import HUB, fetch_set
from et_lite.testsets.layouts import SETS, Item

SECONDS = 10.0
SEED = 0  # of where crops begin
STEREO = 2  # channels; more of them are mixed into one
ANYWHERE = "hub"  # in place of a folder
Value = TypeVar("Value")


class Opened(NamedTuple):
    """How many crops there are, the crops, and what a result's card says of every set."""

    total: int
    crops: Iterator[Crop]
    card: dict[str, Any]

    @property
    def source(self) -> str:
        """SHA-256 over what is heard, so that results are kept for these crops alone."""
        return hashlib.sha256(json.dumps(self.card).encode()).hexdigest()


def open_sets(
    given: Sequence[str], rate: int, seconds: float = SECONDS, most: int | None = None
) -> Opened:
    """The crops of sets, each given as NAME=DIR or as NAME=hub.

    All, or `most` of a set, evenly over its names. ValueError for a name that is none, a folder
    that is not laid out as its set is, and a length that is not over 0.
    """
    if not 0 < seconds < float("inf"):
        raise ValueError(f"crops of {seconds:g} s cannot be cut: give a length over 0")
    folders = dict(map(_place, given))
    items = {name: _items(name, folders[name], most) for name in SETS if name in folders}
    crops = (cut(item, name, rate, seconds) for name, mine in items.items() for item in mine)
    card = {name: _card(mine, seconds, rate) for name, mine in items.items()}
    return Opened(sum(map(len, items.values())), crops, card)


def cut(item: Item, domain: str, rate: int, seconds: float = SECONDS) -> Crop:
    """A random chunk of an item, (S, n) at `rate` hertz; a shorter item ends in silence.

    Where it begins hangs on the item's name and length alone: other items, systems and rates do not
    move it.
    """
    wave, own = audio.read(item.file)
    length = round(seconds * own)
    numbers = np.random.default_rng([SEED, zlib.crc32(item.name.encode())])
    start = int(numbers.integers(max(0, wave.shape[1] - length) + 1))
    piece = wave[:, start : start + length]
    piece = piece if len(piece) <= STEREO else piece.mean(axis=0, keepdims=True)
    samples = audio.resample(piece, own, rate, round(seconds * rate))
    return Crop(f"{domain}_{item.name}", domain, f"{domain} {item.unit}", samples, rate)


def by_set(embeddings: Mapping[str, Value], names: Sequence[str]) -> dict[str, Value]:
    """For each set what there is for its kind of sound."""
    return {name: embeddings[SETS[name].kind] for name in names}


def _place(text: str) -> tuple[str, Path]:
    """A set's name and its folder."""
    name, _, place = text.partition("=")
    if name not in SETS or not place:
        known = ", ".join(SETS)
        raise ValueError(f"set {text!r} is not NAME=DIR with one of {known}: give one of those")
    return name, fetch_set(name) if place == ANYWHERE else Path(place)


def _items(name: str, folder: Path, most: int | None) -> list[Item]:
    """The items of a set in the order of their names. ValueError when there is none."""
    chosen = SETS[name]
    found = sorted(chosen.items(folder)) if folder.is_dir() else []
    if not found:
        other = f", or say {name}={ANYWHERE}" if name in HUB else ""
        raise ValueError(
            f"{folder} has 0 sounds of {chosen.title}: unpack it there ({chosen.source}){other}"
        )
    wanted = spread({item.name: name for item in found}, most)
    return [item for item in found if item.name in wanted]


def _card(items: Sequence[Item], seconds: float, rate: int) -> dict[str, Any]:
    """What tells these crops from others."""
    known = [(item.name, item.unit, item.file.stat().st_size) for item in items]
    digest = hashlib.sha256(json.dumps(known).encode()).hexdigest()
    size = {"crops": len(items), "seconds": seconds, "rate": rate}
    return {**size, "seed": SEED, "sha256": digest}
