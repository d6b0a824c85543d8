"""Compare settings of the lite preset at equal compute: benchmarks/lite_preset.md.

Every candidate trains ET-greedy on the training latents for about the processor time of `STEPS`
steps of the first one, on one thread, and is measured on validation crops; test files choose
nothing. The choice is then used for every system. A run that was stopped goes on with the first
candidate that has no result.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from base_candidates import kept, sound, validation
from tqdm.auto import tqdm

from et_lite.autoencoders import load_autoencoder
from et_lite.codec import ElasticCodec
from et_lite.config import NetworkConfig, TrainingConfig, preset
from et_lite.data import DOMAINS, LatentStore
from et_lite.runs import prepare_cpu
from et_lite.storage import ASSETS, beside, commit, machine, replace_between, write_json
from et_lite.training import train

RATE, KEEP, STEPS = 22_050, 0.5, 200
# Where the search began.
START = replace(
    preset("lite"), optimiser=replace(preset("lite").optimiser, muon_lr=5e-3, adamw_lr=1e-3)
)
Change = Callable[[TrainingConfig], TrainingConfig]


@dataclass(frozen=True)
class Candidate:
    """A change of the preset, and the steps that its cost allows."""

    name: str
    change: Change
    steps: int = STEPS


def rates(**changes: float) -> Change:
    """Other settings of the optimiser."""
    return lambda c: replace(c, optimiser=replace(c.optimiser, **changes))


def losses(**changes: float) -> Change:
    """Other weights of the objective."""
    return lambda c: replace(c, loss=replace(c.loss, **changes))


def both(*changes: Change) -> Change:
    """One change after another."""

    def change(config: TrainingConfig) -> TrainingConfig:
        for one in changes:
            config = one(config)
        return config

    return change


FAST = rates(muon_lr=2e-2)
CANDIDATES = (
    Candidate("Muon 5e-3, AdamW 1e-3", lambda c: c),
    Candidate("Muon 2.5e-3", rates(muon_lr=2.5e-3)),
    Candidate("AdamW 3e-3", rates(adamw_lr=3e-3)),
    Candidate("Muon 1e-2", rates(muon_lr=1e-2)),
    Candidate("Muon 2e-2", FAST),
    Candidate("Muon 4e-2", rates(muon_lr=4e-2)),
    Candidate("Muon 2e-2, AdamW 3e-3", rates(muon_lr=2e-2, adamw_lr=3e-3)),
    Candidate("Muon 2e-2, batch 16", both(FAST, lambda c: replace(c, batch=16)), 2 * STEPS),
    Candidate("Muon 2e-2, no adversary", both(FAST, losses(adversarial=0, feature_matching=0))),
    Candidate(
        "Muon 2e-2, 6 blocks of 148",
        both(FAST, lambda c: replace(c, network=NetworkConfig(width=148, blocks=6))),
    ),
)


def measure(candidate: Candidate, latents: Path, corpus: Path, run: Path) -> dict[str, object]:
    """Train one candidate, and its figures on the validation crops."""
    config = candidate.change(replace(START, steps=candidate.steps))
    begin = time.process_time()
    method = train(config, LatentStore.load(latents), run)
    minutes = (time.process_time() - begin) / 60
    codec = ElasticCodec("", load_autoencoder("spectral-vae"), method, config.frames, "")
    waves = validation(corpus)
    result: dict[str, object] = {"steps": candidate.steps, "minutes": minutes}
    result["mel"] = sound(waves, lambda wave: kept(codec, wave))
    result |= {name: {} for name in ("latent_error", "explained", "held")}
    for domain, clips in waves.items():
        found = np.mean([latent_figures(codec, wave) for wave in clips], axis=0)
        for name, value in zip(("latent_error", "explained", "held"), found, strict=True):
            result[name][domain] = float(value)  # type: ignore[index]
    return result


def latent_figures(codec: ElasticCodec, wave: np.ndarray) -> tuple[float, float, float]:
    """Error of the latents at KEEP, and what of their change the predictor and holding explain."""
    analysis = codec.analyse(wave, RATE)
    payload = codec.pack(analysis, KEEP)
    anchors, lengths = torch.from_numpy(payload.anchors[0]), torch.from_numpy(payload.lengths[0])
    error = (codec.latents(anchors, lengths) - analysis.outer).square().mean()
    z = analysis.latents
    spread = (z - z.mean(dim=2, keepdim=True)).square().mean()
    with torch.no_grad():
        guess = codec.method.predictor.rollout(z, 1)[:, 0, :, :-1]  # type: ignore[union-attr]
    missed = [(one - z[:, :, 1:]).square().mean() for one in (guess, z[:, :, :-1])]
    return float(error), *(float(1 - m / spread) for m in missed)  # type: ignore[return-value]


def table(results: dict[str, dict]) -> str:
    """Markdown: a row a candidate, music / speech / effects."""
    heads = {
        "mel": "mel distance",
        "latent_error": "latent error",
        "explained": "explained 1 ahead",
        "held": "held, 1 ahead",
    }
    lines = ["| candidate | steps | minutes | " + " | ".join(heads.values()) + " |"]
    lines += ["|---" * (3 + len(heads)) + "|"]
    for name, r in results.items():
        cells = [" / ".join(f"{r[key][d]:.3f}" for d in DOMAINS) for key in heads]
        lines.append(f"| {name} | {r['steps']} | {r['minutes']:.1f} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure every candidate and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=Path("corpus"))
    parser.add_argument("--latents", type=Path, default=Path("runs/latents/train.safetensors"))
    parser.add_argument("--runs", type=Path, default=Path("runs/tuning"))
    parser.add_argument("--only", nargs="+", choices=[c.name for c in CANDIDATES])
    given = parser.parse_args()
    torch.set_num_threads(1)
    prepare_cpu()
    results = {}
    for candidate in tqdm(CANDIDATES, disable=None):
        run = given.runs / candidate.name.replace(" ", "-").replace(",", "")
        file = beside(run, ".json")
        if not file.exists() and (given.only is None or candidate.name in given.only):
            write_json(file, measure(candidate, given.latents, given.corpus, run))
        if file.exists():
            results[candidate.name] = json.loads(file.read_text())
    document = ASSETS.parent / "benchmarks" / "lite_preset.md"
    begin, end = "<!-- table: written by scripts/tune_lite.py -->", "<!-- end of table -->"
    made = f"Commit {commit()}, {machine()}."
    if document.exists():
        replace_between(document, begin, end, f"{table(results)}\n\n{made}")
    print(table(results))


if __name__ == "__main__":
    main()
