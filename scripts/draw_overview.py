"""Draw book/figures/overview.png: one clip, and the frames that are kept at three fractions."""

import argparse
import sys
from pathlib import Path

import soundfile

from et_lite.codec import ElasticCodec
from et_lite.plotting import boundaries_over
from et_lite.storage import ASSETS, atomic_path

KEEPS = (0.75, 0.5, 0.25)
FIGURE = Path(__file__).resolve().parent.parent / "book" / "figures" / "overview.png"


def main() -> int:
    """Write the figure."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    wave, rate = soundfile.read(ASSETS / "clips" / "effects_1.flac", dtype="float32")
    codec = ElasticCodec.from_pretrained("et-dp-widerange")
    analysis = codec.analyse(wave, rate, "agglomerative")
    chosen = {f"keep {keep:g}": analysis.choose(keep)[0].segmentation for keep in KEEPS}
    figure = boundaries_over(wave, rate, chosen, codec.latent_rate)
    with atomic_path(FIGURE) as path:
        figure.savefig(path, dpi=180, bbox_inches="tight")
    return 0


if __name__ == "__main__":
    sys.exit(main())
