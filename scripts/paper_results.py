"""The paper's Table 1 and Figure 2 from what was measured on its own test sets.

    et-lite evaluate --set song-describer=DIR audiocaps=DIR daps=DIR muchin=DIR --models ... -o OUT
    python scripts/paper_results.py OUT/evaluation_sets

The table is printed as Markdown: MuChin, mel distance / STFT distance / SI-SDR in dB for every
system and kept fraction. The figure is two files beside the tables, mel distance and FAD against
the kept fraction. What a run has no sets for is left out. Models bear the names of their systems,
as those do that were trained with `-o FOLDER/et-greedy` and so on.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from et_lite import plotting
from et_lite.config import SYSTEMS
from et_lite.evaluation import ALONE
from et_lite.plotting import Curve
from et_lite.storage import atomic_path, beside
from et_lite.sweep import SOUND_METRICS
from et_lite.testsets import SETS

TABLED = "muchin"
DRAWN = ("song-describer", "audiocaps", "daps")
DIGITS = dict(zip(SOUND_METRICS, (2, 2, 1), strict=True))  # as in the paper


def own_choice(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of each system with the solver that it was trained with, in the paper's order."""
    solvers = {name: SYSTEMS[name].selection.solver for name in SYSTEMS} | {ALONE: "none"}
    mine = rows[rows.system.map(solvers) == rows.solver]
    places = {name: place for place, name in enumerate(solvers)}
    return mine.sort_values(
        ["system", "keep"], key=lambda c: c.map(places) if c.name == "system" else c
    )


def table(rows: pd.DataFrame) -> str:
    """Table 1 as Markdown; a dash stands where a system does not reach a fraction."""
    mine = own_choice(rows[(rows.domain == TABLED) & rows.metric.isin(SOUND_METRICS)])
    keeps = sorted(mine[mine.system != ALONE].keep.unique())
    found = {(r.system, r.metric, r.keep): r.mean for r in mine.itertuples()}
    lines = ["| system | " + " | ".join(f"{keep:g}" for keep in keeps) + " |"]
    lines.append("|---" * (1 + len(keeps)) + "|")
    for system in mine.system.unique():
        cells = [_cell([found.get((system, m, keep)) for m in SOUND_METRICS]) for keep in keeps]
        if system == ALONE:
            whole = _cell([found[system, m, 1.0] for m in SOUND_METRICS])
            cells = [f"{whole} with all frames, no Re-Bottleneck", *cells[1:]]
        lines.append(f"| {system} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(values: list[float | None]) -> str:
    if any(value is None or pd.isna(value) for value in values):
        return "–"
    numbers = zip(values, DIGITS.values(), strict=True)
    return " / ".join(f"{value:.{digits}f}" for value, digits in numbers)


def curves(rows: pd.DataFrame, column: str) -> dict[str, dict[str, Curve]]:
    """Each set's curve of every system against the kept fraction, with its intervals."""
    rows = own_choice(rows[rows[column].notna() & (rows.system != ALONE)])
    found: dict[str, dict[str, Curve]] = {}
    for name in (name for name in DRAWN if (rows.domain == name).any()):
        mine = rows[rows.domain == name]
        found[SETS[name].title] = {
            str(system): (one.keep, one[column], one.low, one.high)
            for system, one in mine.groupby("system", sort=False)
        }
    return found


def figure(panels: dict[str, dict[str, Curve]], up: str) -> Figure:
    """A row of Figure 2; values on different sets cannot be compared, so each has its own axis."""
    return plotting.lines(panels, "kept fraction", up, height=3.4, shared=False)


def main() -> int:
    """Print the table and draw the figure, as far as the sets are there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="tables of et-lite evaluate, without suffix")
    stem = parser.parse_args().results
    rows = pd.read_csv(beside(stem, ".csv"))
    if not rows.system.isin(SYSTEMS).any():
        known = ", ".join(sorted({*rows.system} - {ALONE}))
        print(
            f"{stem.name} has 0 systems of the paper among {known}: name them so", file=sys.stderr
        )
        return 2
    if (rows.domain == TABLED).any():
        print(table(rows))
    drawn = {"mel": curves(rows[rows.metric == "mel_distance"], "mean")}
    if beside(stem, "_fad.csv").is_file():
        drawn["fad"] = curves(pd.read_csv(beside(stem, "_fad.csv")), "fad")
    for name, panels in ((name, panels) for name, panels in drawn.items() if panels):
        file = beside(stem, f"_figure2_{name}.png")
        with atomic_path(file) as temporary:
            temporary.write_bytes(
                plotting.png(figure(panels, "FAD" if name == "fad" else "mel distance"))
            )
        print(f"drawn: {file.name}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
