"""What a gap costs before and after the decoder, by its length: benchmarks/lite_preset.md.

    python scripts/gap_errors.py --corpus corpus

Validation crops through shipped models. All frames are kept but for gaps of one length, far
enough from each other that the decoder meets each of them alone. Behind the preset's gap_exponent.
"""

import argparse
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
def errors(codec: ElasticCodec, wave: np.ndarray) -> np.ndarray:
    """Squared errors that one gap adds to a crop (n,), summed: (gaps, 2), inner and outer."""
    analysis = codec.analyse(wave, RATE)
    z, frames = analysis.latents[0], analysis.latents.shape[-1]

    def missed(cut: Segmentation) -> np.ndarray:
        """Squared errors of inner and of outer latents, and how many gaps made them."""
        anchors, lengths = codec.method.pack(z, cut), torch.from_numpy(cut.lengths.copy())
        inner = (codec.method.unpack(anchors, lengths) - z).square().sum()
        outer = (codec.latents(anchors, lengths) - analysis.outer).square().sum()
        return np.array([float(inner), float(outer), (cut.lengths > 1).sum()])

    floor = missed(Segmentation(np.ones(frames, int)))
    found = []
    for gap in GAPS:
        begins = range(gap + BETWEEN)  # every frame is in a gap once
        added = sum(missed(with_gaps(frames, gap, begin)) - floor for begin in begins)
        found.append(added[:2] / added[2])
    return np.array(found)


def table(found: dict[tuple[str, str], np.ndarray]) -> str:
    """Markdown: how many times a gap's error is that of a gap of one, inner / outer."""
    lines = ["| weights | clips | " + " | ".join(f"gap of {gap}" for gap in GAPS[1:]) + " |"]
    lines += ["|---" * (1 + len(GAPS)) + "|"]
    for name in MODELS:
        for domain in DOMAINS:
            one, *longer = found[name, domain]
            cells = [" / ".join(f"{ratio:.1f}" for ratio in more / one) for more in longer]
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
            found[name, domain] = np.mean([errors(codec, wave) for wave in clips], axis=0)
    replace_between(DOCUMENT, *MARKS, f"{table(found)}\n\nCommit {commit()}, {machine()}.")


if __name__ == "__main__":
    main()
