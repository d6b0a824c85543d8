"""Fréchet audio distance of every cell of a sweep (Kilgour et al. 2019; book: evaluation).

It compares the embeddings of a cell's rebuilt clips with those of the originals of the same clips.
Few samples make it larger, so counts and a floor stand beside every value: what half of the
originals is from the other half. To be read against the floor is `halves`, half of the rebuilt
clips against the other half of the originals; the distance itself may lie below it.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from et_lite.cache import code_hash, remembered, version_of
from et_lite.embeddings import Embedding
from et_lite.frechet import Reference, centred
from et_lite.intervals import Interval
from et_lite.sweep import CELL, unpacked

COLUMNS = [*CELL, "embedding", "fad", "low", "high", "halves", "floor"]
COLUMNS += ["crops", "units", "windows", "seeds", "reached"]


class Distance(NamedTuple):
    """FAD of a cell, over resampled sources, and between halves; each the mean of its seeds."""

    value: float
    draws: NDArray[np.float64]
    halves: float


class Fad(NamedTuple):
    """The table, and the distances behind it by system, solver, keep and domain."""

    table: pd.DataFrame
    distances: dict[tuple[Any, ...], Distance]

    def difference(self, first: tuple[Any, ...], second: tuple[Any, ...]) -> Interval | None:
        """First − second, over the same draws; None where one of them is not reached."""
        if first not in self.distances or second not in self.distances:
            return None
        one, two = self.distances[first], self.distances[second]
        return centred(one.value - two.value, one.draws - two.draws)


def measure_fad(
    rows: pd.DataFrame,
    originals: Mapping[str, str],
    embeddings: Mapping[str, Embedding],
    folder: Path,
) -> Fad:
    """FAD from the column `embeddings` of a sweep's rows and from those of the originals by crop.

    `folder` keeps what is measured. A domain that has no two windows has no rows.
    """
    found, distances = [], {}
    bar = tqdm(total=rows.groupby(CELL).ngroups, desc="fad", unit="cell", disable=None)
    for domain, mine in rows.groupby("domain"):
        crops = mine.drop_duplicates("crop").sort_values("crop")
        clips = [unpacked(originals[crop]) for crop in crops["crop"]]
        if sum(map(len, clips)) < 2:
            continue
        reference = Reference(clips, list(crops["unit"]))
        size = {"crops": len(clips), "units": reference.units, "windows": sum(map(len, clips))}
        head = {"embedding": embeddings[str(domain)].name, "floor": reference.floor, **size}
        for key, cell in mine.groupby(CELL):
            reached = float(cell["reached"].mean())
            row = {**dict(zip(CELL, key, strict=True)), **head, "reached": reached}
            if reached == 1:
                distance = distances[key] = _distance(reference, cell, folder)
                ends = centred(distance.value, distance.draws)
                row |= {"fad": ends.mean, "low": ends.low, "high": ends.high}
                row["halves"] = distance.halves
            found.append({**row, "seeds": cell["seed"].nunique()})
            bar.update()
    bar.close()
    return Fad(pd.DataFrame(found, columns=COLUMNS), distances)


def _distance(reference: Reference, cell: pd.DataFrame, folder: Path) -> Distance:
    """Each seed alone is compared with the originals, since more clips make a smaller distance."""
    found = []
    for _, model in cell.sort_values("crop").groupby("model"):
        texts = list(model["embeddings"])
        name = version_of(code_hash("frechet"), reference.identity, *texts)
        compute = partial(_compare, reference, texts)
        found.append(Distance(**remembered(folder / "fad" / f"{name}.json", compute)))
    values, draws, halves = zip(*found, strict=True)
    return Distance(float(np.mean(values)), np.mean(draws, axis=0), float(np.mean(halves)))


def _compare(reference: Reference, texts: list[str]) -> dict[str, Any]:
    """A `Distance` as plain JSON."""
    clips = [unpacked(text) for text in texts]
    draws = reference.resampled(clips).tolist()
    found = Distance(reference.distance(clips), draws, reference.halves(clips))
    return found._asdict()
