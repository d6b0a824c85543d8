"""Collect the logs of finished trainings into one tidy table: assets/results/training_logs.csv.

    python scripts/training_logs.py

A row is one logged value: model, system, seed, step, name, value. Runs of the first seed are named
after their system, others have the seed behind it, as in et-dp.1. A run whose card does not tell
the same last values is not finished, or of other weights: it is left out, and named.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from et_lite.config import SYSTEMS
from et_lite.runs import last_values
from et_lite.storage import ASSETS, atomic_path, beside, commit, write_json

HEADS = ("model", "system", "seed", "step", "name", "value")
TOLD = ("seed", "data", "commit", "machine")  # what a model's card says of its training


@dataclass(frozen=True)
class Run:
    """A training: its log, and the weights that came out of it, without suffix."""

    model: str
    system: str
    log: Path
    weights: Path


def runs(folder: Path, weights: Path) -> Iterator[Run]:
    """The trainings of every system under `folder`, system by system, first seeds first."""
    for system in SYSTEMS:
        if (folder / system / "metrics.csv").is_file():
            yield Run(system, system, folder / system / "metrics.csv", weights / system)
        logs = folder.glob(f"{system}.*/metrics.csv")
        seeds = [log.parent.name.removeprefix(f"{system}.") for log in logs]
        for seed in sorted(int(seed) for seed in seeds if seed.isdigit()):
            model = f"{system}.{seed}"
            yield Run(model, system, folder / model / "metrics.csv", folder / "seeds" / model)


def card_of(run: Run) -> dict[str, Any] | None:
    """The card of the weights that a run ended with; None when they are not there (any more)."""
    file = beside(run.weights, ".json")
    card = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return card if card.get("metrics") == last_values(run.log.parent) else None


def rows_of(run: Run, seed: int) -> list[list[object]]:
    """A run's log as rows of the table."""
    with open(run.log, newline="", encoding="utf-8") as file:
        return [
            [run.model, run.system, seed, row["step"], row["name"], row["value"]]
            for row in csv.DictReader(file)
        ]


def collect(folder: Path, weights: Path, output: Path) -> list[str]:
    """Write the table and its card into `output`; returns the models that are not finished.

    ValueError when none is.
    """
    rows: list[list[object]] = []
    models: dict[str, dict[str, Any]] = {}
    unfinished = []
    for run in runs(folder, weights):
        if (card := card_of(run)) is None:
            unfinished.append(run.model)
            continue
        rows += rows_of(run, card["seed"])
        told = {key: card[key] for key in TOLD}
        models[run.model] = {"weights": card["sha256"], "steps": card["config"]["steps"], **told}
    if not models:
        raise ValueError(f"{folder} has no log of a finished training: make models first")
    file = output / "training_logs.csv"
    with atomic_path(file) as temporary, open(temporary, "w", newline="") as table:
        csv.writer(table, lineterminator="\n").writerows([HEADS, *rows])
    made = {"command": "python scripts/training_logs.py", "commit": commit(), "models": models}
    write_json(output / "training_logs.json", made)
    return unfinished


def main() -> int:
    """Read the options, collect, and say what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--weights", type=Path, default=ASSETS / "weights")
    parser.add_argument("-o", "--output", type=Path, default=ASSETS / "results", help="folder")
    given = parser.parse_args()
    try:
        unfinished = collect(given.runs, given.weights, given.output)
    except ValueError as error:
        print(f"training_logs: {error}", file=sys.stderr)
        return 2
    if unfinished:
        print(f"training_logs: not finished, left out: {', '.join(unfinished)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
