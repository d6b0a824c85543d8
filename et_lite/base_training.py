"""Training of the bundled autoencoder from a corpus of waveforms (book: latents).

A step's batch and noise depend on the seed and the step's number alone, so a run that was
stopped goes on as if it had not been.
"""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from et_lite.config import BaseTrainingConfig, to_dict
from et_lite.data import open_audio, read_manifest
from et_lite.runs import (
    MetricsLog,
    autocast,
    last_values,
    load_checkpoint,
    prepare_cpu,
    save_checkpoint,
    step_seeds,
)
from et_lite.spectral_vae import SpectralVAE, objective
from et_lite.storage import commit, file_hash, machine, save_weights

STATISTICS_CROPS = 256


class WaveCorpus:
    """Random crops of a corpus that `scripts/build_corpus.py` made, (B, n) float32 in ±1."""

    def __init__(self, root: Path, config: BaseTrainingConfig, split: str = "train") -> None:
        self.config = config
        hop = config.network.hop * config.network.group
        self.samples = config.frames * hop
        self.audio: dict[str, np.ndarray] = {}
        self.spans: dict[str, np.ndarray] = {}
        rows = read_manifest(root, split)
        for domain in config.domains:
            spans = [(int(r["start"]), int(r["samples"])) for r in rows if r["domain"] == domain]
            if not spans:
                raise ValueError(
                    f"{root}/manifest.csv has no {split} files of {domain}: build it first"
                )
            self.audio[domain] = open_audio(root, domain, split)
            self.spans[domain] = np.array(spans, dtype=np.int64)

    def batch(self, generator: np.random.Generator, size: int) -> Tensor:
        """Crops of files drawn by length within domains drawn by weight; short files are joined."""
        weights = np.array(self.config.weights) / sum(self.config.weights)
        chosen = generator.choice(len(self.config.domains), size=size, p=weights)
        crops = [self._crop(generator, self.config.domains[d]) for d in chosen]
        gains = 10 ** (generator.uniform(*self.config.gain_db, size=(size, 1)) / 20)
        return torch.from_numpy((np.stack(crops) * gains).clip(-1, 1).astype(np.float32))

    def _crop(self, generator: np.random.Generator, domain: str) -> np.ndarray:
        spans, pieces, need = self.spans[domain], [], self.samples
        while need > 0:
            start, length = spans[generator.choice(len(spans), p=spans[:, 1] / spans[:, 1].sum())]
            offset = generator.integers(max(1, length - need + 1))
            piece = self.audio[domain][start + offset : start + min(length, offset + need)]
            pieces.append(piece)
            need -= len(piece)
        return np.concatenate(pieces).astype(np.float64) / 32768


def train_base(config: BaseTrainingConfig, corpus: Path, run: Path, output: Path) -> None:
    """Train to `config.steps`, resuming from `run`, and write weights and card to `output`."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    prepare_cpu()
    torch.manual_seed(config.seed)
    vae = SpectralVAE(config.network).to(device)
    optimiser = torch.optim.AdamW(vae.parameters(), lr=config.lr, betas=(0.9, 0.99))
    first, data = 0, f"manifest.csv {file_hash(corpus / 'manifest.csv')[:16]}"
    identity = {"config": to_dict(config), "data": data}
    if state := load_checkpoint(run, identity):
        vae.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        first = state["step"]
    train, valid = WaveCorpus(corpus, config), WaveCorpus(corpus, config, "valid")
    log = MetricsLog(run, first)
    for step in tqdm(range(first, config.steps), initial=first, total=config.steps, disable=None):
        numbers, noise = step_seeds(config.seed, step)
        for group in optimiser.param_groups:
            group["lr"] = config.lr * _schedule(step, config.steps)
        with autocast(device):
            losses = objective(vae, train.batch(numbers, config.batch).to(device), config.kl, noise)
        optimiser.zero_grad()
        losses["total"].backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimiser.step()
        done = step + 1
        if done % 50 == 0 or done == config.steps:
            log.write(done, {name: loss.item() for name, loss in losses.items()})
        if done % 500 == 0 or done == config.steps:
            log.write(done, {"valid": _validate(vae, valid, config, device)})
            state = {"step": done, "model": vae.state_dict(), "optimiser": optimiser.state_dict()}
            save_checkpoint(run, state, identity)
    log.close()
    _set_unit_scale(vae, train, config, device)
    card = {
        "kind": "spectral_vae",
        "name": output.name,
        "config": to_dict(config),
        "decoder": "griffin-lim",
        "metrics": {"valid_log_mel_nepers": last_values(run)["valid"]},
        "data": data,
        "commit": commit(),
        "machine": machine(),
    }
    save_weights(output, vae.state_dict(), card)


def _schedule(step: int, steps: int) -> float:
    """Linear rise over 100 steps, then a cosine to 2 %."""
    return min(1.0, (step + 1) / 100) * (0.51 + 0.49 * math.cos(math.pi * step / steps))


@torch.no_grad()
def _validate(
    vae: SpectralVAE, valid: WaveCorpus, config: BaseTrainingConfig, device: torch.device
) -> float:
    """Mean absolute log-mel error in nepers over 64 fixed validation crops."""
    numbers, noise = step_seeds(config.seed + 1, 0)
    with autocast(device):
        return objective(vae, valid.batch(numbers, 64).to(device), 0.0, noise)["spectrum"].item()


@torch.no_grad()
def _set_unit_scale(
    vae: SpectralVAE, train: WaveCorpus, config: BaseTrainingConfig, device: torch.device
) -> None:
    """Store each latent channel's mean and spread over the training set."""
    numbers, _ = step_seeds(config.seed + 2, 0)
    means = torch.cat(
        [
            vae.posterior(vae.features(train.batch(numbers, 16).to(device))).mean.cpu()
            for _ in range(STATISTICS_CROPS // 16)
        ]
    )
    vae.latent_mean.copy_(means.mean(dim=(0, 2))[:, None])
    vae.latent_scale.copy_(means.std(dim=(0, 2))[:, None].clamp_min(1e-3))
