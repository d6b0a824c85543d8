"""The quick evaluation crops: twelve a domain that ship, so that they need no corpus.

A part of `assets/eval_v1.csv`, free to share, written by `scripts/build_quick.py` (book:
evaluation).
"""

from collections.abc import Iterator
from pathlib import Path

from et_lite import audio
from et_lite.data import Crop, read_rows
from et_lite.storage import ASSETS


def quick_crops(folder: Path = ASSETS / "quick") -> Iterator[Crop]:
    """The shipped crops in the table's order, each (220500,) in ±1, mono at 22 050 Hz.

    Sample for sample what `evaluation_crops` reads from the corpus. ValueError when none is there.
    """
    rows = {row["crop"]: row for row in read_rows(ASSETS / "eval_v1.csv")}
    found = [name for name in rows if (folder / f"{name}.flac").is_file()]
    if not found:
        raise ValueError(
            f"{folder} has 0 crops of eval_v1.csv where some are needed: fetch the assets again"
        )
    for name in found:
        wave, _ = audio.read(folder / f"{name}.flac")
        yield Crop(name, rows[name]["domain"], rows[name]["unit"], wave[0])
