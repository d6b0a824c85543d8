"""What a gap costs before and after the decoder, by its length: benchmarks/lite_preset.md.

    python scripts/gap_errors.py --corpus corpus

Validation crops through one shipped model. All frames are kept but for gaps of one length, far
enough from each other that the decoder meets each of them alone. Behind the preset's gap_exponent.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from base_candidates import RATE, validation
from tqdm.auto import tqdm

from et_lite.codec import ElasticCodec
from et_lite.data import DOMAINS
from et_lite.runs import prepare_cpu
from et_lite.segments import Segmentation
from et_lite.storage import ASSETS, commit, machine, replace_between

MODELS = ("et-greedy", "et-dp")
GAPS = (1, 2, 3, 4)
BETWEEN = 6  # kept frames from one gap to the next
DOCUMENT = ASSETS.parent / "benchmarks" / "lite_preset.md"
MARKS = tuple(f"<!-- {end} of gaps: scripts/gap_errors.py -->" for end in ("begin", "end"))


def with_gaps(frames: int, gap: int, begin: int) -> Segmentation:
    """All of `frames` kept but for gaps of one length; the first is after frame `begin`."""
    kept = np.ones(frames, bool)
    for anchor in range(begin, frames - gap - 1, gap + BETWEEN):
        kept[anchor + 1 : anchor + 1 + gap] = False
    return Segmentation(np.diff(np.append(np.flatnonzero(kept), frames)))


@torch.no_grad()
def errors(codec: ElasticCodec, wave: np.ndarray, gap: int) -> tuple[float, float]:
    """Squared error that one gap adds to a crop (n,), summed: of inner and of outer latents."""
    analysis = codec.analyse(wave, RATE)
    z, frames = analysis.latents[0], analysis.latents.shape[-1]
    added = []
    for begin in range(gap + BETWEEN):  # every frame is in a gap once
        cut = with_gaps(frames, gap, begin)
        anchors, lengths = codec.method.pack(z, cut), torch.from_numpy(cut.lengths.copy())
        inner = (codec.method.unpack(anchors, lengths) - z).square().sum()
        outer = (codec.latents(anchors, lengths) - analysis.outer).square().sum()
        added.append((float(inner), float(outer), int((cut.lengths > 1).sum())))
    everything = Segmentation(np.ones(frames, int))
    kept = codec.latents(codec.method.pack(z, everything), torch.ones(frames, dtype=torch.int64))
    floor = float((kept - analysis.outer).square().sum())
    inner, outer, gaps = np.sum(added, axis=0)
    return inner / gaps, (outer - floor * len(added)) / gaps


def table(found: dict[tuple[str, str, int], Sequence[float]]) -> str:
    """Markdown: how many times a gap's error is that of a gap of one, inner / outer."""
    lines = ["| weights | clips | " + " | ".join(f"gap of {gap}" for gap in GAPS[1:]) + " |"]
    lines += ["|---" * (1 + len(GAPS)) + "|"]
    for name in MODELS:
        for domain in DOMAINS:
            one = np.array(found[name, domain, 1])
            ratios = [np.array(found[name, domain, gap]) / one for gap in GAPS[1:]]
            cells = [" / ".join(f"{r:.1f}" for r in ratio) for ratio in ratios]
            lines.append("| " + " | ".join([name, domain, *cells]) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=Path("corpus"))
    prepare_cpu()
    waves = validation(parser.parse_args().corpus)
    found = {}
    for name in tqdm(MODELS, disable=None):
        codec = ElasticCodec.from_pretrained(name)
        for domain, clips in waves.items():
            for gap in GAPS:
                rows = [errors(codec, wave, gap) for wave in clips]
                found[name, domain, gap] = np.mean(rows, axis=0).tolist()
    replace_between(DOCUMENT, *MARKS, f"{table(found)}\n\nCommit {commit()}, {machine()}.")


if __name__ == "__main__":
    main()
