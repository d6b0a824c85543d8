"""How solvers choose on real latents: assets/results/choices.* (book: evaluation).

    python scripts/choices.py --corpus corpus

Every solver works on the same costs of each evaluation crop. The table says how much dearer than
the best choice each one's is, how few frames it can keep, how long its segments are, and of which
moments it keeps frames. No sound is decoded. What is measured is kept under runs/, crop by crop, so
a run that was stopped goes on where it was.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

from et_lite.autoencoders import fingerprint
from et_lite.cache import code_hash, remembered, version_of
from et_lite.codec import ElasticCodec
from et_lite.data import DOMAINS, Crop
from et_lite.evaluation import TABLE, crops
from et_lite.intervals import SEED, interval
from et_lite.methods.elastic_time import ElasticTime
from et_lite.moments import MOMENTS, moments
from et_lite.runs import prepare_cpu
from et_lite.segments import kept_length
from et_lite.solvers import SelectionPath, solve
from et_lite.storage import ASSETS, atomic_path, commit, file_hash, machine, write_json
from et_lite.sweep import KEEPS, RATE, Encoded, encode, load_models

MODELS = ("et-greedy", "et-dp", "et-dp-widerange")
EXACT = "dp"
SOLVERS = ("greedy", EXACT, "agglomerative")
DROPPING = tuple(keep for keep in KEEPS if keep < 1)
FLOORS = tuple(np.round(np.arange(0.06, 0.61, 0.02), 2).tolist())  # kept fractions to ask for
COLUMNS = ["system", "solver", "keep", "domain", "measure", "bin"]
COLUMNS += ["mean", "low", "high", "crops", "units", "reached"]
Row = dict[str, Any]


def excess(cost: float, best: float) -> float:
    """How much dearer than the best a choice is, as a share of the best; 0 where both are free."""
    return 0.0 if cost <= best else (cost - best) / best


def kept_shares(offsets: NDArray[np.integer], what: NDArray[np.integer]) -> list[float | None]:
    """The share that is kept of the frames (T,) of every moment; None where there are none."""
    kept = offsets == 0
    return [
        float(kept[what == m].mean()) if (what == m).any() else None for m in range(len(MOMENTS))
    ]


def choice(path: SelectionPath, best: SelectionPath, keep: float, what: NDArray) -> Row | None:
    """A crop's values at one kept fraction; None where the solver cannot keep so few."""
    frames = len(what)
    count = kept_length(frames, keep)
    found = path.at(count)
    if not found.reached:
        return None
    lengths = found.segmentation.lengths
    return {
        "excess": excess(found.cost, best.at(count).cost),
        "segments": (np.bincount(lengths)[1:] / len(lengths)).tolist(),
        "kept": kept_shares(found.segmentation.offsets, what),
    }


def measure(codec: ElasticCodec, encoded: Callable[[], Encoded], wave: NDArray) -> Row:
    """All of a crop's values under one model, as plain JSON."""
    assert isinstance(codec.method, ElasticTime)
    z = codec.recode(encoded().latents, RATE, len(wave)).latents[0]
    costs, frames = codec.method.costs(z), z.shape[-1]
    what = moments(wave, RATE, round(RATE / codec.latent_rate))
    paths = {solver: solve(solver, costs) for solver in SOLVERS}
    return {
        "moments": (np.bincount(what, minlength=len(MOMENTS)) / frames).tolist(),
        "longest": costs.shape[1] + 1,
        "floors": {solver: path.floor / frames for solver, path in paths.items()},
        "choices": {
            solver: {str(keep): choice(path, paths[EXACT], keep, what) for keep in DROPPING}
            for solver, path in paths.items()
        },
    }


def measured(
    codecs: Sequence[ElasticCodec], chosen: Iterable[Crop], folder: Path
) -> Iterator[tuple[Crop, dict[str, Row]]]:
    """Every crop with its values by model, from `folder` where they are there."""
    autoencoder = codecs[0].autoencoder
    made = (fingerprint(autoencoder), code_hash(Path(__file__)), file_hash(TABLE))
    for crop in chosen:
        encoded = cache(partial(encode, autoencoder, crop.wave))  # once, if anybody asks
        found = {}
        for codec in codecs:
            place = folder / f"choices-{codec.name}-{version_of(*made, codec.identity)}"
            compute = partial(measure, codec, encoded, crop.wave)
            found[codec.name] = remembered(place / f"{crop.name}.json", compute)
        yield crop, found


class Collected:
    """Values of crops of one domain, and their summaries as rows of the table."""

    def __init__(self, domain: str, units: list[str], values: list[Row], system: str) -> None:
        self.domain, self.units, self.values, self.system = domain, units, values, system

    def rows(self) -> Iterator[Row]:
        """Every row of one model."""
        for solver in SOLVERS:
            yield from self._floor_rows(solver)
            for keep in DROPPING:
                yield from self._choice_rows(solver, keep)

    def moment_rows(self) -> Iterator[Row]:
        """How common every moment is, whatever the model."""
        for place, name in enumerate(MOMENTS):
            yield self._row("", None, "moments", name, [v["moments"][place] for v in self.values])

    def _floor_rows(self, solver: str) -> Iterator[Row]:
        floors = np.array([value["floors"][solver] for value in self.values])
        yield self._row(solver, None, "floor", "", floors)
        for asked in FLOORS:
            yield self._row(solver, None, "floor at most", f"{asked:g}", floors <= asked)

    def _choice_rows(self, solver: str, keep: float) -> Iterator[Row]:
        found = [value["choices"][solver][str(keep)] for value in self.values]
        reached = float(np.mean([one is not None for one in found]))
        if reached < 1:  # the crops that can go so low are not like the others: no mean of them
            nothing = [None] * len(self.units)
            yield self._row(solver, keep, "excess", "", nothing, reached)
            return
        yield self._row(solver, keep, "excess", "", [one["excess"] for one in found])
        longest = max(value["longest"] for value in self.values)
        for length in range(1, longest + 1):
            shares = [(one["segments"] + [0.0] * longest)[length - 1] for one in found]
            yield self._row(solver, keep, "segments", str(length), shares)
        for place, name in enumerate(MOMENTS):
            yield self._row(solver, keep, "kept", name, [one["kept"][place] for one in found])

    def _row(
        self,
        solver: str,
        keep: float | None,
        measure: str,
        bin: str,
        values: Sequence[float | None] | NDArray,
        reached: float = 1.0,
    ) -> Row:
        """One row; crops that have no such moment are not counted."""
        there = [(float(v), u) for v, u in zip(values, self.units, strict=True) if v is not None]
        numbers, units = [v for v, _ in there], [u for _, u in there]
        ends = interval(numbers, units)._asdict() if there else {}
        size = {"crops": len(there), "units": len(set(units)), "reached": reached}
        head = {"system": self.system, "solver": solver, "keep": keep, "domain": self.domain}
        return {**head, "measure": measure, "bin": bin, **ends, **size}


def table(found: Sequence[tuple[Crop, dict[str, Row]]]) -> pd.DataFrame:
    """Tidy rows with intervals over source files; without vocal music, which is one file."""
    rows: list[Row] = []
    for domain in DOMAINS:
        mine = [(crop.unit, values) for crop, values in found if crop.domain == domain]
        if not mine:
            continue
        units, systems = [unit for unit, _ in mine], list(mine[0][1])
        by_system = {s: [values[s] for _, values in mine] for s in systems}
        rows += Collected(domain, units, by_system[systems[0]], "").moment_rows()
        for system in systems:
            rows += Collected(domain, units, by_system[system], system).rows()
    return pd.DataFrame(rows, columns=COLUMNS)


def load(names: Sequence[str]) -> list[ElasticCodec]:
    """Models of Elastic Time. ValueError for others: only its predictor makes costs."""
    codecs = [model.codec for model in load_models(names)]
    for codec in codecs:
        if not isinstance(codec.method, ElasticTime):
            raise ValueError(f"{codec.name} has no predictor: name models of Elastic Time")
    return codecs


def run(
    codecs: Sequence[ElasticCodec],
    chosen: Iterable[Crop],
    folder: Path,
    output: Path,
    card: dict[str, Any],
) -> None:
    """Measure, and write `output` + .csv and .json; `card` is what only the caller knows."""
    found = list(measured(codecs, chosen, folder))
    rows = table(found)
    with atomic_path(output.with_name(output.name + ".csv")) as temporary:
        rows.to_csv(temporary, index=False, float_format="%.5g")
    counts = {d: sum(crop.domain == d for crop, _ in found) for d in DOMAINS}
    known = {
        "bootstrap_seed": SEED,
        "models": {codec.name: codec.identity for codec in codecs},
        "evaluation": file_hash(TABLE),
        "crops": counts,
        "code": code_hash(Path(__file__)),
        "commit": commit(),
        "machine": machine(),
    }
    write_json(output.with_name(output.name + ".json"), {**card, **known})


def main() -> int:
    """Read the options, measure all crops and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--corpus", type=Path, default=Path("corpus"), help="has the test sets")
    source.add_argument("--quick", action="store_true", help="the shipped crops, without a corpus")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--crops", type=int, help="so many a domain instead of all")
    parser.add_argument("--run-dir", type=Path, default=Path("runs/evaluate"))
    parser.add_argument("-o", "--output", type=Path, default=ASSETS / "results" / "choices")
    given = parser.parse_args()
    if given.crops is not None and given.crops < 1:
        parser.error(f"--crops is {given.crops}: ask for at least 1, or leave it out for all")
    torch.set_num_threads(1)  # small products on several threads only wait for each other
    prepare_cpu()
    try:
        codecs = load(given.models)
        count, chosen = crops(None if given.quick else given.corpus, given.crops)
    except ValueError as error:
        print(f"choices: {error}", file=sys.stderr)
        return 2
    words = ["--quick"] if given.quick else ["--corpus", "corpus"]
    words += ["--crops", str(given.crops)] if given.crops else []
    card = {"command": " ".join(["python scripts/choices.py", *words])}
    if not given.quick:
        card["corpus"] = file_hash(given.corpus / "manifest.csv")
    bar = tqdm(chosen, total=count, unit="crop", disable=None)
    with torch.no_grad():
        run(codecs, bar, given.run_dir, given.output, card)
    return 0


if __name__ == "__main__":
    sys.exit(main())
