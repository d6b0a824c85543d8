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
from typing import Any

import numpy as np
import torch
from base_candidates import kept, sound, validation
from tqdm.auto import tqdm

from et_lite.autoencoders import load_autoencoder
from et_lite.codec import ElasticCodec
from et_lite.config import LossConfig, NetworkConfig, TrainingConfig, preset
from et_lite.data import DOMAINS, LatentStore
from et_lite.runs import prepare_cpu
from et_lite.storage import ASSETS, beside, commit, machine, replace_between, write_json
from et_lite.sweep import LATENT_METRICS, Row, latent_errors
from et_lite.training import train

RATE, KEEP, STEPS = 22_050, 0.5, 200
# Where the search began.
START = replace(
    preset("lite"),
    optimiser=replace(preset("lite").optimiser, muon_lr=5e-3, adamw_lr=1e-3),
    loss=LossConfig(),
    marked=False,
    gap_exponent=0.0,
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


SOLVERS = ("greedy", "dp", "uniform", "random")
# Once the networks and the predictor had better first weights, and the decoder its mark.
CHANGES: dict[str, Change] = {
    "as it ships": lambda c: c,
    "KL 1e-4": losses(kl=1e-4),
    "KL 4e-3": losses(kl=4e-3),
    "Muon 2e-2": rates(muon_lr=2e-2),
    "unmarked": lambda c: replace(c, marked=False),
    "plain costs": lambda c: replace(c, gap_exponent=0.0),
}


def shipped_but(change: Change) -> Change:
    """A change of the preset that ships, for as many steps as are asked."""
    return lambda config: change(preset("lite", steps=config.steps))


AGAIN = tuple(Candidate(f"{name}, again", shipped_but(change)) for name, change in CHANGES.items())


def measure(candidate: Candidate, latents: Path, corpus: Path, run: Path) -> dict[str, Any]:
    """Train one candidate, and its figures on the validation crops."""
    config = candidate.change(replace(START, steps=candidate.steps))
    begin = time.process_time()
    method = train(config, LatentStore.load(latents), run)
    minutes = (time.process_time() - begin) / 60
    codec = ElasticCodec("", load_autoencoder("spectral-vae"), method, config.frames, "")
    waves = validation(corpus)
    result: dict[str, Any] = {"steps": candidate.steps, "minutes": minutes, "errors": {}}
    result["mel"] = sound(waves, lambda wave: kept(codec, wave))
    for domain, clips in waves.items():
        for name, value in predictability(codec, clips).items():
            result.setdefault(name, {})[domain] = value
        for solver in SOLVERS:
            errors = [selected(codec, wave, solver) for wave in clips]
            result["errors"].setdefault(solver, {})[domain] = {
                kind: float(np.mean([row[kind] for row in errors])) for kind in LATENT_METRICS
            }
    greedy = result["errors"]["greedy"]
    result["latent_error"] = {domain: greedy[domain]["latent_error"] for domain in waves}
    return result


def selected(codec: ElasticCodec, wave: np.ndarray, solver: str) -> Row:
    """Mean squared errors at KEEP of the inner latents, and of the outer ones that come back."""
    analysis = codec.analyse(wave, RATE, solver)
    payload = codec.pack(analysis, KEEP)
    anchors, lengths = torch.from_numpy(payload.anchors[0]), torch.from_numpy(payload.lengths[0])
    return latent_errors(codec, analysis, payload, codec.latents(anchors, lengths))


@torch.no_grad()
def predictability(codec: ElasticCodec, clips: list[np.ndarray]) -> dict[str, float]:
    """What of the inner latents' variance the predictor and holding know one frame ahead."""
    shares = []
    for wave in clips:
        z = codec.analyse(wave, RATE).latents
        spread = (z - z.mean(dim=2, keepdim=True)).square().mean()
        guess = codec.method.predictor.rollout(z, 1)[:, 0, :, :-1]  # type: ignore[union-attr]
        missed = [(one - z[:, :, 1:]).square().mean() for one in (guess, z[:, :, :-1])]
        shares.append([float(1 - m / spread) for m in missed])
    return dict(zip(("explained", "held"), np.mean(shares, axis=0).tolist(), strict=True))


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


def errors_table(results: dict[str, dict]) -> str:
    """Markdown: inner and outer errors of every choice of frames by every candidate."""
    heads = {"mel": "mel distance", "explained": "explained 1 ahead", "held": "held, 1 ahead"}
    lines = ["| " + " | ".join(["candidate", *heads.values(), "errors", *SOLVERS]) + " |"]
    lines += ["|---" * (2 + len(heads) + len(SOLVERS)) + "|"]
    for name, r in results.items():
        first = [
            name.removesuffix(", again"),
            *(" / ".join(f"{r[key][d]:.2f}" for d in DOMAINS) for key in heads),
        ]
        for kind in LATENT_METRICS:
            errors = [[r["errors"][s][d][kind] for d in DOMAINS] for s in SOLVERS]
            cells = [" / ".join(f"{e:.3f}" for e in row) for row in errors]
            which = {"inner_error": "inner", "latent_error": "outer"}[kind]
            lines.append("| " + " | ".join([*first, which, *cells]) + " |")
            first = [""] * len(first)
    return "\n".join(lines)


def main() -> None:
    """Measure every candidate and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=Path("corpus"))
    parser.add_argument("--latents", type=Path, default=Path("runs/latents/train.safetensors"))
    parser.add_argument("--runs", type=Path, default=Path("runs/tuning"))
    parser.add_argument("--only", nargs="+", choices=[c.name for c in (*CANDIDATES, *AGAIN)])
    given = parser.parse_args()
    torch.set_num_threads(1)
    prepare_cpu()
    document = ASSETS.parent / "benchmarks" / "lite_preset.md"
    for candidates, write, mark in ((CANDIDATES, table, "table"), (AGAIN, errors_table, "errors")):
        results, new = {}, False
        for candidate in tqdm(candidates, disable=None):
            run = given.runs / candidate.name.replace(" ", "-").replace(",", "")
            file = beside(run, ".json")
            if not file.exists() and (given.only is None or candidate.name in given.only):
                write_json(file, measure(candidate, given.latents, given.corpus, run))
                new = True
            if file.exists():
                results[candidate.name] = json.loads(file.read_text())
        if not new:
            continue  # the table says which commit made it
        begin, end = (f"<!-- {w} of {mark}: scripts/tune_lite.py -->" for w in ("begin", "end"))
        made = f"Commit {commit()}, {machine()}."
        replace_between(document, begin, end, f"{write(results)}\n\n{made}")


if __name__ == "__main__":
    main()
