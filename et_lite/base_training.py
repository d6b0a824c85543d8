"""Training of the bundled autoencoder from a corpus of waveforms, in two runs (book: latents).

First the spectrogram's encoder and decoder, then the phase decoder on their frozen spectrograms.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from et_lite import phase_head, spectral_vae
from et_lite.autoencoders import load_spectral
from et_lite.config import (
    BaseTrainingConfig,
    PhaseTrainingConfig,
    SpectralVAEConfig,
    to_dict,
)
from et_lite.phase_head import PhaseHead
from et_lite.runs import fit, prepare_cpu, step_seeds
from et_lite.spectral_vae import SpectralVAE
from et_lite.storage import commit, file_hash, machine, save_weights
from et_lite.wave_corpus import WaveCorpus

STATISTICS_CROPS = 256
VALIDATION_CROPS = 64

Losses = Callable[[np.random.Generator, torch.Generator], dict[str, Tensor]]


def train_base(config: BaseTrainingConfig, corpus: Path, run: Path, output: Path) -> None:
    """Train the spectrogram autoencoder, resuming from `run`; weights and card to `output`."""
    device = _prepare(config.seed)
    vae = SpectralVAE(config.network).to(device)
    train, valid = _crops(config, config.network, corpus)
    data = _data(corpus)

    def losses(waves: WaveCorpus, size: int) -> Losses:
        return lambda numbers, noise: spectral_vae.objective(
            vae, waves.batch(numbers, size).to(device), config.kl, config.slowness, noise
        )

    metrics = fit(
        vae,
        config,
        run,
        {"config": to_dict(config), "data": data},
        losses(train, config.batch),
        losses(valid, VALIDATION_CROPS),
    )
    set_unit_scale(vae, train, config.seed)
    card = {"kind": "spectral_vae", "name": output.name, "config": to_dict(config), "data": data}
    save_weights(output, vae.state_dict(), {**card, **_made(metrics)})


def train_phase(
    config: PhaseTrainingConfig, base: Path, corpus: Path, run: Path, output: Path
) -> None:
    """Train the phase decoder of the autoencoder `base`, resuming from `run`; to `output`."""
    device = _prepare(config.seed)
    frozen = load_spectral(base)
    vae = frozen.vae.to(device).requires_grad_(False)
    head = PhaseHead(config.network).to(device)
    train, valid = _crops(config, vae.config, corpus)
    card = {
        "kind": "phase_head",
        "name": output.name,
        "config": to_dict(config),
        "autoencoder": frozen.identity,
        "data": _data(corpus),
    }

    def losses(waves: WaveCorpus, size: int) -> Losses:
        def of_step(numbers: np.random.Generator, noise: torch.Generator) -> dict[str, Tensor]:
            wave = waves.batch(numbers, size).to(device)
            with torch.no_grad():
                true = vae.features(wave)
                decoded = vae.round_trip(true, noise)
                chosen = torch.from_numpy(numbers.random(size) < config.true_share).to(device)
                log_mel = vae.ungroup(torch.where(chosen[:, None, None], true, decoded))
                magnitude = vae.magnitude(log_mel, phase_head.PRIOR_ROUNDS)
            return phase_head.objective(head, log_mel, magnitude, wave, vae.mel, config.loss)

        return of_step

    metrics = fit(
        head,
        config,
        run,
        card,
        losses(train, config.batch),
        losses(valid, VALIDATION_CROPS),
        # An orthogonal step of the last layer would move every logarithm of a magnitude at once.
        outer=(head.stack.enter, head.stack.leave),
    )
    save_weights(output, head.state_dict(), {**card, **_made(metrics)})


def _prepare(seed: int) -> torch.device:
    """The device of a run, its memory and its seed set."""
    prepare_cpu()
    torch.manual_seed(seed)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _crops(
    config: BaseTrainingConfig | PhaseTrainingConfig, network: SpectralVAEConfig, corpus: Path
) -> tuple[WaveCorpus, WaveCorpus]:
    """The crops to train on, and those to validate with."""
    samples = config.frames * network.hop * network.group
    return (
        WaveCorpus(corpus, config.crops, samples),
        WaveCorpus(corpus, config.crops, samples, "valid"),
    )


def _data(corpus: Path) -> str:
    return f"manifest.csv {file_hash(corpus / 'manifest.csv')[:16]}"


def _made(metrics: dict[str, float]) -> dict[str, Any]:
    """What a card says of a run's end and of what made it."""
    valid = {name: value for name, value in metrics.items() if name.startswith("valid_")}
    return {"metrics": valid, "commit": commit(), "machine": machine()}


@torch.no_grad()
def set_unit_scale(vae: Any, train: WaveCorpus, seed: int) -> None:
    """Store each latent channel's mean and spread over the training set in the weights."""
    device = next(vae.parameters()).device
    numbers, _ = step_seeds(seed + 2, 0)
    batches = [train.batch(numbers, 16).to(device) for _ in range(STATISTICS_CROPS // 16)]
    means = torch.cat([vae.posterior(vae.features(batch)).mean.cpu() for batch in batches])
    vae.latent_mean.copy_(means.mean(dim=(0, 2))[:, None])
    vae.latent_scale.copy_(means.std(dim=(0, 2))[:, None].clamp_min(1e-3))
