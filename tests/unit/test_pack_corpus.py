"""A corpus carried as Opus parts is the same corpus on the other side, nearly to the sample."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import pack_corpus

from et_lite.config import CropConfig
from et_lite.wave_corpus import WaveCorpus


@pytest.fixture
def corpus(tmp_path: Path, clips: Path) -> Path:
    """Two shipped clips a domain, the second one for validation."""
    root = tmp_path / "corpus"
    (root / "audio").mkdir(parents=True)
    lines = ["domain,split,set,start,samples"]
    for domain in pack_corpus.SHARES:
        waves = [soundfile.read(clips / f"{domain}_{n}.flac", dtype="int16")[0] for n in (1, 2)]
        np.save(root / "audio" / f"{domain}-train.npy", np.concatenate(waves))
        lines.append(f"{domain},train,s,0,{len(waves[0])}")
        lines.append(f"{domain},valid,s,{len(waves[0])},{len(waves[1])}")
    (root / "manifest.csv").write_text("\n".join(lines) + "\n")
    return root


def test_what_arrives_sounds_as_what_was_sent(corpus, tmp_path) -> None:
    parts, there = tmp_path / "parts", tmp_path / "there"
    pack_corpus.pack(corpus, parts, megabytes=1, count=2)
    size = sum(path.stat().st_size for path in parts.rglob("*.opus"))
    assert 0.1e6 < size < 1e6
    pack_corpus.unpack(parts, there)
    for split in ("train", "valid"):
        sent, arrived = (
            WaveCorpus(root, CropConfig(), 40 * 1024, split) for root in (corpus, there)
        )
        for domain in pack_corpus.SHARES:
            assert sent.spans[domain].shape == arrived.spans[domain].shape
            (start, samples), (other, others) = sent.spans[domain][0], arrived.spans[domain][0]
            assert abs(samples - others) <= 2
            first = sent.audio[domain][start : start + samples].astype(float)
            second = arrived.audio[domain][other : other + others].astype(float)
            count = min(len(first), len(second))
            assert np.corrcoef(first[:count], second[:count])[0, 1] > 0.95, domain
