"""One autoencoder's whole way at full size, in a process of its own whose memory can be measured.

    python tests/autoencoder_pipeline.py NAME [BACKEND] SECONDS OUTPUT

loads the autoencoder from the folder that ET_AUTOENCODERS names, encodes so much stereo noise,
compresses it at 0.5 with a seeded Re-Bottleneck, decompresses it, and writes what came of it.
"""

import json
import resource
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from et_lite.autoencoders import StableAudioOpen, load_autoencoder
from et_lite.codec import ElasticCodec
from et_lite.config import NetworkConfig, TrainingConfig, preset
from et_lite.methods import build

RATE = 44_100


def re_bottleneck(channels: int) -> TrainingConfig:
    """The paper's own where the channels are the paper's, else a small one."""
    paper = preset("paper")
    if channels == paper.network.channels:
        return paper
    network = NetworkConfig(channels=channels, width=64, blocks=2)
    return replace(paper, network=network, predictor=replace(paper.predictor, channels=channels))


def run(name: str, backend: str, samples: int, output: Path) -> None:
    """Latents, kept length and sound to `output`.npz, sizes and memory to `output`.json."""
    sao = name == "stable-audio-open"
    autoencoder = (
        StableAudioOpen.from_pretrained(backend=backend) if sao else load_autoencoder(name)
    )
    torch.manual_seed(0)
    method = build(re_bottleneck(autoencoder.channels))
    codec = ElasticCodec("seeded", autoencoder, method, 96, "0" * 64)
    wave = np.random.default_rng(0).normal(size=(2, samples)).astype("float32") / 10
    analysis = codec.analyse(wave, RATE)
    payload = codec.pack(analysis, 0.5)
    rebuilt = codec.decompress(payload)
    np.savez(output.with_suffix(".npz"), latents=analysis.outer, wave=rebuilt)
    report = {
        "identity": autoencoder.identity,
        "latents": list(analysis.outer.shape),
        "frames": payload.frames,
        "kept": payload.kept,
        "shape": list(rebuilt.shape),
        "finite": bool(np.isfinite(rebuilt).all()),
        "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }
    output.with_suffix(".json").write_text(json.dumps(report))


if __name__ == "__main__":
    name, backend, samples, output = sys.argv[1:]
    run(name, backend, int(samples), Path(output))
