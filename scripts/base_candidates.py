"""Compare designs of the base autoencoder at equal compute: benchmarks/base_autoencoder.md.

Each candidate trains for the same processor time on one thread; a predictor then looks at its
latents, and a lite ET-greedy and the uniform-hold control train on them. All is measured on
validation files, never on test files. Phases are Griffin–Lim's but for the waveform design. A run
that was stopped goes on with the first candidate that has no result.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import latent_statistics
import numpy as np
import torch
import waveform_autoencoder
from tqdm.auto import tqdm

from et_lite.autoencoders import Autoencoder, SpectralAutoencoder
from et_lite.base_training import set_unit_scale
from et_lite.codec import ElasticCodec
from et_lite.config import BaseTrainingConfig, CropConfig, SpectralVAEConfig, preset
from et_lite.data import DOMAINS, LatentStore, corpus_clips
from et_lite.metrics import mel_distance
from et_lite.runs import autocast, fit, optimisers, prepare_cpu, step_seeds
from et_lite.spectral_vae import SpectralVAE, objective
from et_lite.storage import ASSETS, commit, machine, replace_between, write_json
from et_lite.training import train
from et_lite.wave_corpus import WaveCorpus

RATE, HOP = 22_050, 1024
CROPS, SECONDS = 6, 10  # validation crops a domain
KEEP = 0.5
SYSTEMS = ("et-greedy", "uniform-hold")


@dataclass(frozen=True)
class Candidate:
    """What is tried, and why."""

    name: str
    about: str
    config: BaseTrainingConfig = BaseTrainingConfig()
    waveform: bool = False


BASE = BaseTrainingConfig()
FINE = SpectralVAEConfig(bands=256, fft=4096)
CANDIDATES = (
    Candidate("shipped", "160 bands, width 384, 3 blocks, KL 1e-4, slowness 0.05"),
    Candidate("no slowness", "slowness 0", replace(BASE, slowness=0.0)),
    Candidate("waveform", "MDCT in and out, losses on spectra and waveform", BASE, True),
    Candidate("strong KL", "KL 1e-3", replace(BASE, kl=1e-3)),
    Candidate("fine", "256 bands, FFT 4096", replace(BASE, network=FINE)),
)


def build(
    candidate: Candidate, corpus: Path
) -> tuple[torch.nn.Module, Callable[..., Any], Autoencoder]:
    """An untrained network, its objective (wave, noise), and the autoencoder around it."""
    c = candidate.config
    torch.manual_seed(c.seed)
    if candidate.waveform:
        network = waveform_autoencoder.WaveformVAE(c.network.width, c.network.blocks)
        waves = WaveCorpus(corpus, c.crops, 86 * HOP).batch(np.random.default_rng(c.seed), 64)
        network.spread.copy_(network.bins(waves).square().mean(dim=(0, 1)).sqrt())

        def losses(wave: torch.Tensor, noise: torch.Generator) -> dict[str, torch.Tensor]:
            return waveform_autoencoder.objective(network, wave, c.kl, noise)

        return network, losses, waveform_autoencoder.WaveformAutoencoder(network)
    vae = SpectralVAE(c.network)
    return (
        vae,
        lambda wave, noise: objective(vae, wave, c.kl, c.slowness, noise),
        SpectralAutoencoder(candidate.name, vae, candidate.name),
    )


def train_candidate(
    candidate: Candidate, corpus: Path, run: Path, minutes: float
) -> tuple[Autoencoder, dict[str, float]]:
    """The candidate after `minutes` of processor time, and how it was trained."""
    network, losses, autoencoder = build(candidate, corpus)
    c = candidate.config
    train_waves, valid = (
        WaveCorpus(corpus, c.crops, c.frames * HOP, split) for split in ("train", "valid")
    )

    def of(waves: WaveCorpus, size: int) -> Callable[..., dict[str, torch.Tensor]]:
        return lambda numbers, noise: losses(waves.batch(numbers, size), noise)

    plan = run / "plan.json"
    if not plan.exists():  # a resumed run keeps the steps it began with
        seconds = _seconds_per_step(network, of(train_waves, c.batch), c)
        network, losses, autoencoder = build(candidate, corpus)
        write_json(plan, {"steps": round(minutes * 60 / seconds), "seconds_per_step": seconds})
    planned = json.loads(plan.read_text())
    config = replace(c, steps=planned["steps"])
    fit(
        network, config, run, {"candidate": candidate.name}, of(train_waves, c.batch), of(valid, 32)
    )
    set_unit_scale(network, train_waves, c.seed)
    millions = sum(p.numel() for p in network.parameters()) / 1e6
    return autoencoder, {**planned, "million_parameters": millions}


def _seconds_per_step(
    network: torch.nn.Module, losses: Callable[..., Any], config: BaseTrainingConfig
) -> float:
    """Processor time of one step, after two that warm up."""
    steppers = optimisers(network, config.optimiser)
    for step in range(8):
        if step == 2:
            begin = time.process_time()
        with autocast(torch.device("cpu")):
            terms = losses(*step_seeds(1, step))
        terms["total"].backward()
        for optimiser in steppers:
            optimiser.step()
            optimiser.zero_grad()
    return (time.process_time() - begin) / 6


def measure(
    candidate: Candidate, corpus: Path, folder: Path, given: argparse.Namespace
) -> dict[str, Any]:
    """Every figure of one candidate."""
    run = folder / candidate.name.replace(" ", "-")
    autoencoder, made = train_candidate(candidate, corpus, run, given.minutes)
    waves = validation(corpus)
    result: dict[str, Any] = {"about": candidate.about, **made, "mel": {}}
    result["mel"]["all frames"] = sound(waves, lambda w: _alone(autoencoder, w))
    clips = corpus_clips(corpus, "train", given.latent_minutes, RATE)
    store = LatentStore.collect(
        (domain, autoencoder.encode(torch.from_numpy(wave)[None])) for domain, wave in clips
    )
    rows = latent_statistics.measure(autoencoder, store, waves, given.predictor_steps)
    result["latents"] = [row._asdict() for row in rows]
    for name in SYSTEMS:
        config = preset("lite", name, steps=given.steps)
        begin = time.process_time()
        trained = train(config, store, run / name)
        result[f"{name} minutes"] = (time.process_time() - begin) / 60
        codec = ElasticCodec(name, autoencoder, trained, config.frames, name)
        result["mel"][name] = sound(waves, lambda w, codec=codec: kept(codec, w))
    return result


def validation(corpus: Path) -> dict[str, list[np.ndarray]]:
    """Fixed crops (n,) of validation files, each domain's own."""
    found = {}
    for domain in DOMAINS:
        crops = CropConfig(domains=(domain,), weights=(1.0,), gain_db=(0.0, 0.0))
        waves = WaveCorpus(corpus, crops, SECONDS * RATE // HOP * HOP, "valid")
        found[domain] = list(waves.batch(np.random.default_rng(0), CROPS).numpy())
    return found


def sound(
    waves: dict[str, list[np.ndarray]], rebuild: Callable[[np.ndarray], np.ndarray]
) -> dict[str, float]:
    """Mean mel distance of each domain."""
    return {
        domain: float(np.mean([mel_distance(rebuild(w)[None], w[None], RATE) for w in clips]))
        for domain, clips in waves.items()
    }


def _alone(autoencoder: Autoencoder, wave: np.ndarray) -> np.ndarray:
    latents = autoencoder.encode(torch.from_numpy(wave)[None]).mean
    return autoencoder.decode(latents)[0, : len(wave)].numpy()


def kept(codec: ElasticCodec, wave: np.ndarray) -> np.ndarray:
    """A wave (n,) as it comes back from KEEP of its frames."""
    return codec.decompress(codec.compress(wave, RATE, KEEP))[0]


def table(results: dict[str, dict[str, Any]]) -> str:
    """Two Markdown tables: what is heard, and what the latents are like."""

    def three(values: dict[str, float]) -> str:
        return " / ".join(f"{values[domain]:.2f}" for domain in DOMAINS)

    def latent(result: dict[str, Any], statistic: str, step: int) -> str:
        found = {
            row["domain"]: row["value"]
            for row in result["latents"]
            if (row["statistic"], row["step"]) == (statistic, step)
        }
        return three(found)

    columns = ("all frames", *SYSTEMS)
    lines = ["| candidate | parameters | steps | " + " | ".join(columns) + " |"]
    lines += ["|---" * (3 + len(columns)) + "|"]
    for name, result in results.items():
        cells = [three(result["mel"][column]) for column in columns]
        size = f"{result['million_parameters']:.1f} M | {result['steps']}"
        lines.append(f"| {name} ({result['about']}) | {size} | " + " | ".join(cells) + " |")
    statistics = {
        "explained 1 ahead": ("explained_predictor", 1),
        "held, 1 ahead": ("explained_hold", 1),
        "explained 5 ahead": ("explained_predictor", 5),
        "level correlation": ("level_correlation", 0),
        "variance at −20 dB": ("quiet_variance", 0),
        "kept frames changed": ("quiet_change", 0),
    }
    lines += ["", "| candidate | " + " | ".join(statistics) + " | channels alive |"]
    lines += ["|---" * (len(statistics) + 2) + "|"]
    for name, result in results.items():
        cells = [latent(result, *statistic) for statistic in statistics.values()]
        alive = next(r["value"] for r in result["latents"] if r["statistic"] == "alive_channels")
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {alive:.0f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure every candidate and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=Path("corpus"))
    parser.add_argument("--runs", type=Path, default=Path("runs/candidates"))
    parser.add_argument("--only", nargs="+", choices=[c.name for c in CANDIDATES])
    parser.add_argument(
        "--minutes", type=float, default=2, help="processor time of each autoencoder"
    )
    parser.add_argument("--latent-minutes", type=float, default=20, help="of latents a domain")
    parser.add_argument("--predictor-steps", type=int, default=300)
    parser.add_argument("--steps", type=int, default=120, help="of ET-greedy and of the control")
    given = parser.parse_args()
    torch.set_num_threads(1)
    prepare_cpu()
    results = {}
    for candidate in tqdm(CANDIDATES, disable=None):
        file = given.runs / f"{candidate.name.replace(' ', '-')}.json"
        wanted = given.only is None or candidate.name in given.only
        if wanted and not file.exists():
            write_json(file, measure(candidate, given.corpus, given.runs, given))
        if file.exists():
            results[candidate.name] = json.loads(file.read_text())
    document = ASSETS.parent / "benchmarks" / "base_autoencoder.md"
    begin, end = "<!-- tables: written by scripts/base_candidates.py -->", "<!-- end of tables -->"
    made = f"Commit {commit()}, {machine()}."
    replace_between(document, begin, end, f"{table(results)}\n\n{made}")


if __name__ == "__main__":
    main()
