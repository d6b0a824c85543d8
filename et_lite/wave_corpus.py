"""Random crops of a corpus of waveforms, for training the bundled autoencoder (book: latents)."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from et_lite.config import CropConfig
from et_lite.data import open_audio, read_manifest


class WaveCorpus:
    """Random crops of a corpus that `scripts/build_corpus.py` made, (B, n) float32 in ±1."""

    def __init__(self, root: Path, config: CropConfig, samples: int, split: str = "train") -> None:
        self.config, self.samples = config, samples
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
