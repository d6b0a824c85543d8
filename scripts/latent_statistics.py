"""How well an autoencoder's latents suit a method that drops predictable frames.

Four questions, asked of any autoencoder: how much of the next frames a small predictor explains,
how alike neighbouring frames are, whether the choice of frames follows loudness or content, and how
many channels carry anything.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor
from tqdm.auto import tqdm

from et_lite.autoencoders import Autoencoder
from et_lite.config import OptimiserConfig, PredictorConfig, SelectionConfig
from et_lite.data import LatentStore
from et_lite.predictor import Predictor, rollout_loss, step_costs
from et_lite.runs import autocast, optimisers, prepare_cpu, set_rates, step_seeds
from et_lite.segments import kept_length
from et_lite.solvers import solve

STEPS = 800  # of the predictor: about five minutes on one thread with bf16
OPTIMISER = OptimiserConfig(muon_lr=5e-3, adamw_lr=1e-3)  # of the predictor
BATCH, FRAMES = 32, 96  # clips a step and latent frames a clip, as in the `lite` preset
HORIZONS, LAGS = 5, 12
QUIETER = 0.1  # −20 dB
KEEP = 0.5
ALIVE = 0.1  # share of a channel's variance that its posterior mean must carry
Latents = Mapping[str, Sequence[Tensor]]  # domain to its clips' latents, each (C, T)
Waves = Mapping[str, Sequence[np.ndarray]]  # domain to its clips' samples, each (n,)


class Row(NamedTuple):
    """One figure; `step` is a horizon or a lag in frames, 0 where there is none."""

    domain: str
    statistic: str
    step: int
    value: float


def measure(
    autoencoder: Autoencoder, store: LatentStore, waves: Waves, steps: int = STEPS, seed: int = 0
) -> list[Row]:
    """Every figure of this file: a predictor trained on `store`, then measured on `waves`."""
    predictor = train_predictor(store, steps, seed)
    test = {d: [_encode(autoencoder, wave) for wave in clips] for d, clips in waves.items()}
    return [
        Row("all", "channels", 0, store.mean.shape[1]),
        Row("all", "alive_channels", 0, alive_channels(store)),
        *explained(predictor, store, test),
        *autocorrelation(test),
        *level_statistics(autoencoder, predictor, waves),
    ]


def train_predictor(
    store: LatentStore, steps: int = STEPS, seed: int = 0, config: PredictorConfig | None = None
) -> Predictor:
    """The package's predictor, trained on posterior means with the method's rollout term alone.

    Batch and crop are those of the `lite` preset. Means, not samples: they are what
    is kept when a file is compressed.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    prepare_cpu()
    torch.manual_seed(seed)
    channels = store.mean.shape[1]
    predictor = Predictor(config or PredictorConfig(channels=channels)).to(device)
    means = replace(store, scale=np.zeros_like(store.scale))
    frames = min(FRAMES, int(store.lengths.max()))
    both = optimisers(predictor, OPTIMISER)
    for step in tqdm(range(steps), "predictor", leave=False, disable=None):
        x = means.batch(*step_seeds(seed, step), BATCH, frames).to(device)
        with autocast(device):
            loss = rollout_loss(x, predictor.rollout(x, HORIZONS), HORIZONS)
        predictor.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(predictor.parameters(), OPTIMISER.clip_norm)
        set_rates(both, 0.5 + 0.5 * math.cos(math.pi * step / steps))
        for optimiser in both:
            optimiser.step()
    return predictor.cpu().eval()


@torch.no_grad()
def explained(
    predictor: Predictor, train: LatentStore, test: Latents, horizons: int = HORIZONS
) -> list[Row]:
    """Share of a domain's latent variance that is known `step` frames ahead, for each domain.

    1 − mean squared error / variance, pooled over channels and clips; the variance is that about
    the domain's own mean of each channel. Three guesses: the predictor's rollout, the last frame
    held, and a linear map of the last frame (ridge regression fitted on `train`).
    """
    maps = _linear_maps(train, horizons)
    rows = []
    for domain, clips in test.items():
        _check(domain, clips, horizons)
        variance = _centred(clips)[1]
        errors = np.zeros((3, horizons))
        counts = np.zeros(horizons)
        for clip in clips:
            rollout = predictor.rollout(clip[None], horizons)[0]
            for k in range(1, min(horizons, clip.shape[1] - 1) + 1):
                last, target = clip[:, :-k], clip[:, k:]
                line, offset = maps[k - 1]
                guesses = (rollout[k - 1, :, :-k], last, line @ last + offset)
                errors[:, k - 1] += [float((g - target).square().sum()) for g in guesses]
                counts[k - 1] += target.numel()
        values = 1 - errors / counts / variance
        for name, line in zip(("predictor", "hold", "ridge"), values, strict=True):
            rows += [Row(domain, f"explained_{name}", k, v) for k, v in enumerate(line, start=1)]
    return rows


def autocorrelation(test: Latents, lags: int = LAGS) -> list[Row]:
    """Correlation of frames `step` apart, about the domain's mean of each channel, pooled over
    channels and clips.
    """
    rows = []
    for domain, clips in test.items():
        _check(domain, clips, lags)
        mean, variance = _centred(clips)
        for lag in range(1, lags + 1):
            pairs = [(c[:, lag:] - mean, c[:, :-lag] - mean) for c in clips if c.shape[1] > lag]
            total = sum(float((one * two).sum()) for one, two in pairs)
            count = sum(one.numel() for one, _ in pairs)
            rows.append(Row(domain, "autocorrelation", lag, total / count / variance))
    return rows


@torch.no_grad()
def level_statistics(
    autoencoder: Autoencoder, predictor: Predictor, waves: Waves, solver: str = "greedy"
) -> list[Row]:
    """Whether frames are chosen for their loudness, for each domain.

    `level_correlation`: Spearman's, of a frame's level in dB and the cost of predicting it from the
    frame before, over all frames that are not digital silence; `…_in_clip` is its mean over clips.
    `quiet_variance`: variance over time of a clip 20 dB softer relative to the clip as it is,
    summed over channels, mean over clips; `…_median` is the median.
    `quiet_change`: share of the frames kept at keep 0.5 that are not kept when the clip is 20 dB
    softer; two choices at random would give 0.5.
    """
    rows = []
    for domain, clips in waves.items():
        levels, costs, inside, ratios, changes = [], [], [], [], []
        for wave in clips:
            loud = _encode(autoencoder, wave)
            soft = _encode(autoencoder, wave * np.float32(QUIETER))
            variance = [float(x.var(dim=1, correction=0).sum()) for x in (loud, soft)]
            if variance[0] > 0:
                ratios.append(variance[1] / variance[0])
            tables = [_cost_table(predictor, x) for x in (loud, soft)]
            changes.append(_change(*tables, solver))
            level = frame_levels(wave, autoencoder.hop)[1:]
            heard = np.isfinite(level)
            levels.append(level[heard])
            costs.append(tables[0][:-1, 0][heard])
            inside.append(_rank_correlation(levels[-1], costs[-1]))
        correlation = _rank_correlation(np.concatenate(levels), np.concatenate(costs))
        found = {
            "level_correlation": correlation,
            "level_correlation_in_clip": _mean(inside),
            "quiet_variance": _mean(ratios),
            "quiet_variance_median": float(np.median(ratios)) if ratios else float("nan"),
            "quiet_change": _mean(changes),
        }
        rows += [Row(domain, name, 0, value) for name, value in found.items()]
    return rows


def alive_channels(store: LatentStore) -> int:
    """Channels whose posterior mean varies by more than a tenth of all that the samples vary.

    That is the variance of the mean plus the mean squared scale. In a channel that the KL term has
    switched off the mean hardly moves beside the noise. Whitening hides this, since it brings up
    both alike, so it is the ratio that tells (after Burda et al. 2016, active units).
    """
    spread = store.mean.astype(np.float64).var(axis=0)
    noise = np.square(store.scale.astype(np.float64)).mean(axis=0)
    return int((spread > ALIVE * (spread + noise)).sum())


def frame_levels(wave: np.ndarray, hop: int) -> np.ndarray:
    """RMS level of each latent frame in dB, (n,) to (⌈n / hop⌉,); digital silence is −inf."""
    frames = np.pad(wave.astype(np.float64), (0, -len(wave) % hop)).reshape(-1, hop)
    with np.errstate(divide="ignore"):
        return 10 * np.log10(np.square(frames).mean(axis=1))


@torch.no_grad()
def _encode(autoencoder: Autoencoder, wave: np.ndarray) -> Tensor:
    """Posterior mean (C, T) of samples (n,)."""
    return autoencoder.encode(torch.from_numpy(wave)[None]).mean[0]


def _cost_table(predictor: Predictor, latents: Tensor) -> np.ndarray:
    """Step costs (T, K) of one clip's latents (C, T)."""
    x = latents[None]
    return step_costs(x, predictor.rollout(x, SelectionConfig().max_offset))[0].numpy()


def _change(one: np.ndarray, two: np.ndarray, solver: str) -> float:
    """Share of the frames kept under costs `one` that are not kept under `two`."""
    kept = kept_length(len(one), KEEP)
    first, second = (solve(solver, table).at(kept).segmentation.anchors for table in (one, two))
    return 1 - len(np.intersect1d(first, second)) / len(first)


def _rank_correlation(level: np.ndarray, cost: np.ndarray) -> float:
    """Spearman's; NaN where either does not vary."""
    if len(level) < 3 or np.ptp(level) == 0 or np.ptp(cost) == 0:
        return float("nan")
    return float(spearmanr(level, cost).statistic)


def _mean(values: Iterable[float]) -> float:
    """The mean of the finite ones; NaN if there is none."""
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")


def _centred(clips: Sequence[Tensor]) -> tuple[Tensor, float]:
    """Mean of each channel over all frames, (C, 1), and the variance about it over channels."""
    everything = torch.cat(list(clips), dim=1)
    mean = everything.mean(dim=1, keepdim=True)
    return mean, float((everything - mean).square().mean())


def _check(domain: str, clips: Sequence[Tensor], steps: int) -> None:
    """ValueError unless some clip is long enough to look `steps` frames ahead."""
    if not any(clip.shape[1] > steps for clip in clips):
        raise ValueError(
            f"no clip of {domain} has more than {steps} latent frames: give longer ones"
        )


def _linear_maps(store: LatentStore, horizons: int) -> list[tuple[Tensor, Tensor]]:
    """Ridge regressions from a frame to the one k later: (C, C) and (C, 1), k = 1 to `horizons`."""
    channels = store.mean.shape[1]
    maps = []
    for k in range(1, horizons + 1):
        square, cross = np.zeros((channels + 1,) * 2), np.zeros((channels + 1, channels))
        for start, length in zip(store.starts, store.lengths, strict=True):
            clip = store.mean[start : start + length].astype(np.float64)
            last = np.concatenate([clip[:-k], np.ones((max(0, length - k), 1))], axis=1)
            square += last.T @ last
            cross += last.T @ clip[k:]
        # A thousandth of the mean power: keeps the inverse finite and shrinks nothing that counts.
        weight = 1e-3 * np.trace(square) / (channels + 1)
        solved = np.linalg.solve(square + weight * np.eye(channels + 1), cross)
        solved = solved.astype(np.float32).T
        maps.append((torch.from_numpy(solved[:, :-1]), torch.from_numpy(solved[:, -1:])))
    return maps
