"""Measure the shipped model on the shipped clips: assets/results/first_results.csv and its card.

A first look at six clips, not an evaluation: it has no intervals and proves nothing.
"""

import argparse
import csv
from pathlib import Path

import soundfile
import torch
from tqdm.auto import tqdm

from et_lite.codec import ElasticCodec
from et_lite.metrics import mel_distance
from et_lite.solvers import SOLVERS
from et_lite.storage import ASSETS, atomic_path, commit, machine, replace_between, write_json

KEEPS = (1.0, 0.75, 0.5, 0.35)
MODEL = "et-greedy"
BEGIN, END = "<!-- results: written by scripts/first_results.py -->", "<!-- end of results -->"


def measure(codec: ElasticCodec, file: Path) -> list[dict[str, object]]:
    """Rows of one clip: the autoencoder alone, then every solver at every kept fraction."""
    wave, rate = soundfile.read(file, dtype="float32", always_2d=True)
    wave = wave.T
    outer = codec.autoencoder.encode(torch.from_numpy(wave)).mean
    alone = codec.autoencoder.decode(outer).numpy()[:, : wave.shape[1]]
    clip = {"clip": file.stem}
    rows = [{**clip, "solver": "autoencoder", "keep": 1.0, "kept_fraction": 1.0}]
    rows[0] |= {"mel_distance": mel_distance(alone, wave, rate), "latent_error": 0.0}
    for solver in SOLVERS:
        for keep, (payload, rebuilt) in zip(
            KEEPS, codec.sweep(wave, rate, KEEPS, solver), strict=True
        ):
            anchors, lengths = torch.from_numpy(payload.anchors[0]), payload.lengths[0]
            x = codec.latents(anchors, torch.from_numpy(lengths))
            rows.append(
                {
                    **clip,
                    "solver": solver,
                    "keep": keep,
                    "kept_fraction": payload.kept / payload.frames,
                    "mel_distance": mel_distance(rebuilt, wave, rate),
                    "latent_error": float((x - outer).square().mean()),
                }
            )
    return rows


def main() -> None:
    """Measure every clip, and write the table, its card and the README's copy."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    codec = ElasticCodec.from_pretrained(MODEL)
    files = sorted((ASSETS / "clips").glob("*_[12].flac"))
    rows = [row for file in tqdm(files, disable=None) for row in measure(codec, file)]
    with (
        atomic_path(ASSETS / "results" / "first_results.csv") as path,
        open(path, "w", newline="") as out,
    ):
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()})
    card = {
        "command": "python scripts/first_results.py",
        "model": MODEL,
        "weights": codec.identity,
        "seed": 0,
        "commit": commit(),
        "machine": machine(),
    }
    write_json(ASSETS / "results" / "first_results.json", card)
    update_readme(rows)


def table(rows: list[dict[str, object]]) -> str:
    """Markdown: a row a solver, mel distance / latent error at each kept fraction."""

    def mean(name: str, solver: str, keep: float) -> float:
        values = [float(str(r[name])) for r in rows if (r["solver"], r["keep"]) == (solver, keep)]
        return sum(values) / len(values)

    alone = f"{mean('mel_distance', 'autoencoder', 1.0):.2f}"
    lines = ["| frames chosen by | " + " | ".join(f"keep {keep:g}" for keep in KEEPS) + " |"]
    lines += ["|---" * (len(KEEPS) + 1) + "|", f"| autoencoder alone | {alone} |" + " |" * 3]
    for solver in SOLVERS:
        cells = []
        for keep in KEEPS:
            names = ("mel_distance", "latent_error", "kept_fraction")
            distance, error, kept = (mean(name, solver, keep) for name in names)
            short = f" (kept {kept:.2f})" if kept > keep + 0.01 else ""
            cells.append(f"{distance:.2f} / {error:.2f}{short}")
        lines.append(f"| {solver} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def update_readme(rows: list[dict[str, object]]) -> None:
    """Put the table between its two markers."""
    replace_between(ASSETS.parent / "README.md", BEGIN, END, table(rows))


if __name__ == "__main__":
    main()
