"""Time crops from latents that memory does not hold: the tables of benchmarks/streaming.md.

    python scripts/streaming_speed.py

It writes shards of the layout of et-lite preencode into a scratch folder, asks the system to forget
them, and draws batches in a process of its own, so that nearly every crop comes from the disk.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from et_lite import data
from et_lite.config import PRESETS
from et_lite.data import LatentStore
from et_lite.preencoding import SHARD_BYTES
from et_lite.runs import step_seeds
from et_lite.shards import ClipGroup, mapped
from et_lite.storage import ASSETS, commit, machine, replace_between, write_json

RESULTS = ASSETS.parent / "benchmarks" / "streaming.json"
BEGIN, END = "<!-- tables: written by scripts/streaming_speed.py -->", "<!-- end of tables -->"
CLIP = 646  # frames: 30 s at 21.5 Hz
CLIPS = (1_000, 100_000, 1_000_000)  # in a store, for the time of a draw


def write_shards(folder: Path, gigabytes: float) -> None:
    """Shards of random latents in clips of 30 s; all have the same contents."""
    channels = PRESETS["paper"].network.channels
    clips = SHARD_BYTES // (CLIP * channels * 4)  # mean and scale, two bytes each
    values = np.random.default_rng(0).random((clips * CLIP, channels), np.float32).astype("f2")
    lengths = np.full(clips, CLIP)
    store = LatentStore(
        values, values, lengths.cumsum() - lengths, lengths, np.zeros(clips, np.int64), "random"
    )
    notes = {"digest": "random"}
    for index in tqdm(range(round(gigabytes * 1e9 / (2 * values.nbytes))), disable=None):
        store.save(folder / f"{index:06}.safetensors", notes)


def forget(folder: Path) -> None:
    """Ask the system to drop its copies of these files."""
    for path in folder.iterdir():
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def own_megabytes() -> float:
    """Memory of this process that belongs to no file."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if "RssAnon" in line).split()[1]) / 1000


def so_far() -> np.ndarray:
    """Seconds that have passed, seconds of the processor, and megabytes from the disk."""
    lines = Path("/proc/self/io").read_text().splitlines()
    read = int(next(line for line in lines if line.startswith("read_bytes")).split()[1])
    return np.array([time.perf_counter(), time.process_time(), read / 1e6])


def draw(folder: Path, batches: int, ahead: bool) -> dict[str, Any]:
    """Draw batches of the paper's size, each once from the disk and once more from memory.

    `ahead` has the system read ahead as it does by itself.
    """
    torch.set_num_threads(1)
    if ahead:
        data.mapped = lambda file, scattered: mapped(file, False)
    config, start = PRESETS["paper"], so_far()
    store = LatentStore.load(folder)
    opened = (so_far() - start).tolist()
    forget(folder)
    before, cold, warm = own_megabytes(), [], []
    for step in range(batches):
        for taken in (cold, warm):
            start = so_far()
            store.batch(*step_seeds(0, step), config.batch, config.frames)
            taken.append((so_far() - start).tolist())
    found = {"shards": len(list(folder.iterdir())), "bytes": store.mean.shape[0] * 64 * 4}
    grown = own_megabytes() - before
    return {**found, "open": opened, "cold": cold, "warm": warm, "grown": grown}


def time_draws(clips: int) -> dict[str, float]:
    """Seconds of processor time to choose a paper's batch of clips, by ours and by numpy's way."""
    places, size = np.random.default_rng(0).integers(1, 1000, size=clips), PRESETS["paper"].batch
    group, numbers = ClipGroup.of(np.arange(clips), places), np.random.default_rng(0)
    group.draw(numbers)  # the first one readies what others find ready
    begin = time.process_time()
    for _ in range(size):
        group.draw(numbers)
    ours = time.process_time()
    weights = places.astype(float)
    for _ in range(8):
        numbers.choice(group.clips, p=weights / weights.sum())
    return {"ours": ours - begin, "numpy": (time.process_time() - ours) * size / 8}


def page(found: dict[str, Any]) -> str:
    """Both tables, and what made them."""
    reading, ahead = found["reading"], found["ahead"]
    rows = {
        "from the disk": reading["cold"],
        "the same, with the system reading ahead": ahead["cold"],
        "again, from memory": reading["warm"],
    }
    lines = ["| a batch of 64 crops | median, ms | slowest, ms | processor, ms | first one, MB |"]
    lines.append("|---|---|---|---|---|")
    for label, taken in rows.items():
        wall, processor, read = zip(*taken, strict=True)
        shown = [1e3 * value for value in (median(wall), max(wall), median(processor))]
        cells = [*(f"{value:.0f}" for value in shown), f"{read[0]:.1f}"]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    lines += ["", "| clips | numpy.choice, ms | cumulated once, ms |", "|---|---|---|"]
    for clips, cell in found["draws"].items():
        lines.append(f"| {int(clips):,} | {1e3 * cell['numpy']:.1f} | {1e3 * cell['ours']:.2f} |")
    size = f"{reading['bytes'] / 1e9:.1f} GB in {reading['shards']} shards"
    _, processor, read = reading["open"]
    memory = (
        f"{size}, opened in {processor:.2f} s of the processor with {read:.0f} MB read; "
        f"{len(reading['cold'])} batches from the disk made the process {reading['grown']:.0f} MB "
        "larger."
    )
    return "\n".join([*lines, "", memory, f"Commit {found['commit']}. {found['machine']}."])


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=4)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--draw", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--ahead", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.draw:
        print(json.dumps(draw(given.draw, given.batches, given.ahead)))
        return
    reading = {}
    with tempfile.TemporaryDirectory(dir=".") as scratch:
        write_shards(Path(scratch), given.gigabytes)
        again = [sys.executable, __file__, "--draw", scratch, "--batches", str(given.batches)]
        for name, flags in (("reading", []), ("ahead", ["--ahead"])):
            forget(Path(scratch))
            drawn = subprocess.run([*again, *flags], capture_output=True, check=True)
            reading[name] = json.loads(drawn.stdout)
    draws = {str(clips): time_draws(clips) for clips in CLIPS}
    made = {"command": " ".join(["python", *sys.argv]), "commit": commit(), "machine": machine()}
    found = {**made, **reading, "draws": draws}
    write_json(RESULTS, found)
    replace_between(RESULTS.with_suffix(".md"), BEGIN, END, page(found))


if __name__ == "__main__":
    main()
