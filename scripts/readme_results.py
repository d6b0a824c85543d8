"""Put the measured mel distances into the README: means and intervals of every system at 0.5.

It reads `assets/results/evaluation.csv`, which `et-lite evaluate` wrote.
"""

import argparse
import csv
import json

from et_lite.config import SYSTEMS
from et_lite.data import DOMAINS
from et_lite.storage import ASSETS, replace_between

TABLE = ASSETS / "results" / "evaluation.csv"
KEEP = "0.5"
BEGIN, END = "<!-- results: written by scripts/readme_results.py -->", "<!-- end of results -->"


def table(rows: list[dict[str, str]]) -> str:
    """Markdown: a row a system with its own choice of frames, mel distance of each domain."""
    found = {
        (row["system"], row["domain"]): row
        for row in rows
        if row["metric"] == "mel_distance"
        and (row["system"] == "autoencoder" or row["keep"] == KEEP)
        and (
            row["system"] not in SYSTEMS or row["solver"] == SYSTEMS[row["system"]].selection.solver
        )
    }
    lines = ["| system | seeds | " + " | ".join(DOMAINS) + " |", "|---" * (2 + len(DOMAINS)) + "|"]
    for system in ("autoencoder", *SYSTEMS):
        cells = [_cell(found[system, domain]) for domain in DOMAINS]
        alone = system == "autoencoder"
        seeds = "" if alone else found[system, DOMAINS[0]]["seeds"]
        name = "all frames, no Re-Bottleneck" if alone else system
        lines.append(f"| {name} | {seeds} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(row: dict[str, str]) -> str:
    mean, low, high = (float(row[name]) for name in ("mean", "low", "high"))
    return f"{mean:.2f} ({low:.2f}, {high:.2f})"


def main() -> None:
    """Read the table and rewrite the README's copy."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    with open(TABLE, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    made = json.loads(TABLE.with_suffix(".json").read_text(encoding="utf-8"))
    crops = sum(made["crops"][domain] for domain in DOMAINS)
    note = f"Over {crops} crops of 10 s. Commit {made['commit']}, {made['machine']}."
    replace_between(ASSETS.parent / "README.md", BEGIN, END, f"{table(rows)}\n\n{note}")


if __name__ == "__main__":
    main()
