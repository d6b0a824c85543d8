"""Measure the base autoencoders against Opus and a linear autoencoder: assets/results/base_*.csv.

    python scripts/base_results.py --corpus corpus

One clip a call, over the crops of assets/eval_v1.csv, means with 95 % intervals over source files.
What is measured is kept under runs/, so a run that was stopped goes on where it was. The few crops
of vocal music are in the tables, and in no claim: one file of singing is no evidence.
"""

import argparse
import csv
import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import latent_statistics
import numpy as np
import torch
from codec_baselines import LinearAutoencoder, opus
from tqdm.auto import tqdm

from et_lite.autoencoders import BUNDLED, fingerprint, load_autoencoder
from et_lite.cache import code_hash, remembered, version_of
from et_lite.data import DOMAINS, Crop, LatentStore, corpus_clips
from et_lite.evaluation import TABLE, crops
from et_lite.intervals import interval, paired_interval
from et_lite.metrics import Original
from et_lite.runs import prepare_cpu
from et_lite.storage import ASSETS, atomic_path, commit, file_hash, machine, write_json
from et_lite.sweep import RATE

SCRIPTS = Path(__file__).resolve().parent
SEED = 0
BITRATES = (6, 8, 12, 24)  # kbit/s of Opus
METRICS = ("mel_distance", "stft_distance", "si_sdr", "kbit_s")
# What has to beat what, and at what share of the other's mel distance: a difference whose whole
# interval is below zero does.
Bar = tuple[str, str, float]
BARS: tuple[Bar, ...] = (
    *((name, "opus-12", 1.0) for name in BUNDLED),
    *((name, "pca-mdct", 0.75) for name in BUNDLED),
)
Measured = dict[str, dict[str, float]]  # crop to metric to value


@dataclass(frozen=True)
class System:
    """Something that sound goes through; `identity` tells one version of it from another."""

    name: str
    identity: str  # of its numbers
    code: str  # of what computes with them, and of the metrics
    rebuild: Callable[[np.ndarray], tuple[np.ndarray, dict[str, float]]]  # (n,) to (n,) and metrics


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    crops: int | None  # of a domain, evenly over the table; None for all
    linear_minutes: float  # of training sound a domain for PCA
    latent_minutes: float  # likewise for the predictor
    steps: int  # of the predictor


FULL = Plan(None, 20, 30, latent_statistics.STEPS)
QUICK = Plan(4, 1, 1, 20)


def autoencoder_system(name: str) -> System:
    """A registered autoencoder: its posterior mean, decoded."""
    autoencoder = load_autoencoder(name)

    def rebuild(wave: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
        latents = autoencoder.encode(torch.from_numpy(wave)[None]).mean
        return autoencoder.decode(latents)[0, : len(wave)].numpy(), {}

    return System(name, fingerprint(autoencoder), code_hash("autoencoders", "metrics"), rebuild)


def opus_system(kbps: float) -> System:
    """Opus at a nominal rate; the rate that it took is one of its metrics."""

    def rebuild(wave: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
        heard, taken = opus(wave, RATE, kbps)
        return heard, {"kbit_s": taken}

    return System(
        f"opus-{kbps:g}",
        f"libopus {kbps:g}",
        code_hash("metrics", SCRIPTS / "codec_baselines.py"),
        rebuild,
    )


def linear_system(corpus: Path, minutes: float) -> System:
    """PCA of MDCT frames, fitted on training files, evenly over the domains."""
    clips = corpus_clips(corpus, "train", minutes, RATE, seed=SEED)
    linear = LinearAutoencoder.fit(wave for _, wave in tqdm(clips, "PCA", disable=None))
    identity = hashlib.sha256(linear.basis.astype(np.float32).tobytes()).hexdigest()
    code = code_hash("metrics", SCRIPTS / "codec_baselines.py")
    return System(
        "pca-mdct", identity, code, lambda wave: (linear.decode(linear.encode(wave), len(wave)), {})
    )


def measured(system: System, chosen: Iterable[Crop], cache: Path) -> Measured:
    """The metrics of every crop, from the cache where it has them."""
    folder = cache / f"{system.name}-{version_of(system.identity, system.code, file_hash(TABLE))}"
    found: Measured = {}
    for crop in tqdm(chosen, system.name, disable=None, unit="crop"):
        file = folder / f"{crop.name}.json"
        found[crop.name] = remembered(file, partial(measure, system, crop.wave))
    return found


def measure(system: System, wave: np.ndarray) -> dict[str, float]:
    """The metrics of one crop (n,), and the seconds that the system took."""
    begin = time.perf_counter()
    rebuilt, more = system.rebuild(wave)
    seconds = time.perf_counter() - begin
    return {**Original(wave[None], RATE).distances(rebuilt[None]), **more, "seconds": seconds}


def result_rows(
    found: dict[str, Measured], chosen: dict[str, tuple[str, str]], bars: Iterable[Bar] = BARS
) -> list[dict[str, object]]:
    """Tidy rows with intervals; `chosen` has each crop's domain and unit.

    Beside a system's own mel distance stands its paired difference to what it has to beat.
    """
    rows: list[dict[str, object]] = []
    for domain in dict.fromkeys(domain for domain, _ in chosen.values()):
        mine = [name for name, (other, _) in chosen.items() if other == domain]
        units = [chosen[name][1] for name in mine]

        def values(system: str, metric: str, mine: list[str] = mine) -> list[float]:
            return [found[system][name][metric] for name in mine]

        head = {"domain": domain, "crops": len(mine), "units": len(set(units))}
        for system in found:
            for metric in METRICS:
                if metric in found[system][mine[0]]:
                    ends = interval(values(system, metric), units, SEED)._asdict()
                    rows.append({"system": system, **head, "metric": metric, **ends})
        for system, bar, share in bars if domain in DOMAINS else ():  # no claim about vocal music
            other = share * np.array(values(bar, "mel_distance"))
            ends = paired_interval(values(system, "mel_distance"), other, units, SEED)._asdict()
            metric = f"mel_distance - {share:g} {bar}"
            rows.append({"system": system, **head, "metric": metric, **ends})
    return sorted(rows, key=lambda row: list(found).index(str(row["system"])))


def latent_rows(name: str, corpus: Path, plan: Plan, cache: Path) -> list[dict[str, object]]:
    """The statistics of one autoencoder's latents, from the cache where it has them."""
    autoencoder = load_autoencoder(name)
    code = code_hash(SCRIPTS / "latent_statistics.py")
    data = file_hash(corpus / "manifest.csv") + file_hash(TABLE)
    version = version_of(fingerprint(autoencoder), code, str(plan), data)

    def compute() -> list[dict[str, object]]:
        clips = corpus_clips(corpus, "train", plan.latent_minutes, RATE, seed=SEED)
        encoded = (
            (domain, autoencoder.encode(torch.from_numpy(wave)[None]))
            for domain, wave in tqdm(clips, f"{name}, latents", disable=None, unit="clip")
        )
        store = LatentStore.collect(encoded, autoencoder.identity)
        waves: dict[str, list[np.ndarray]] = {}
        for crop in crops(corpus, plan.crops)[1]:
            waves.setdefault(crop.domain, []).append(crop.wave)
        rows = latent_statistics.measure(autoencoder, store, waves, plan.steps, SEED)
        return [{"system": name, **row._asdict()} for row in rows]

    found: list[dict[str, object]] = remembered(cache / f"latents-{name}-{version}.json", compute)
    return found


def write_table(path: Path, rows: list[dict[str, object]]) -> None:
    """Write CSV; what is not a number is an empty cell."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({key: _cell(value) for key, value in row.items()})


def _cell(value: object) -> object:
    if not isinstance(value, float):
        return value
    return f"{value:.5g}" if np.isfinite(value) else ""


def run(corpus: Path, output: Path, cache: Path, plan: Plan, latents: list[str]) -> None:
    """Measure everything, and write both tables and their card."""
    systems = [autoencoder_system(name) for name in BUNDLED]
    systems += map(opus_system, BITRATES)
    systems.append(linear_system(corpus, plan.linear_minutes))
    chosen = {crop.name: (crop.domain, crop.unit) for crop in crops(corpus, plan.crops)[1]}
    found = {s.name: measured(s, crops(corpus, plan.crops)[1], cache) for s in systems}
    found_latents = [row for name in latents for row in latent_rows(name, corpus, plan, cache)]
    write_table(output / "base_autoencoder.csv", result_rows(found, chosen))
    write_table(output / "base_latents.csv", found_latents)
    seconds = {n: sum(crop["seconds"] for crop in crops_.values()) for n, crops_ in found.items()}
    card = {
        "command": "python scripts/base_results.py --corpus corpus"
        + (" --quick" if plan == QUICK else ""),
        "seed": SEED,
        "commit": commit(),
        "machine": machine(),
        "evaluation": file_hash(TABLE),
        "corpus": file_hash(corpus / "manifest.csv"),
        "plan": vars(plan),
        # Encoding and decoding alone, of all crops; a cached crop's when it was measured.
        "systems": {s.name: {"version": s.identity, "seconds": seconds[s.name]} for s in systems},
        "weights": {name: load_autoencoder(name).identity for name in BUNDLED},
    }
    write_json(output / "base_autoencoder.json", card)


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=Path("corpus"))
    parser.add_argument("--runs", type=Path, default=Path("runs/base_results"), help="cache")
    parser.add_argument("--latents", nargs="+", choices=list(BUNDLED), default=["spectral-vae"])
    parser.add_argument(
        "--quick", action="store_true", help="a few crops into the cache's folder: does it run?"
    )
    given = parser.parse_args()
    torch.set_num_threads(1)
    prepare_cpu()
    output = given.runs if given.quick else ASSETS / "results"
    run(given.corpus, output, given.runs, QUICK if given.quick else FULL, given.latents)


if __name__ == "__main__":
    main()
