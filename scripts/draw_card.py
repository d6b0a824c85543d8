"""Draw book/_assets/social-card.png: what a link to the book looks like where somebody shares it.

It is the overview figure below the book's one sentence. Run it after `scripts/draw_overview.py`.
"""

import argparse
import sys
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.image import imread

from et_lite.storage import atomic_path

BOOK = Path(__file__).resolve().parent.parent / "book"
OVERVIEW, CARD = BOOK / "figures" / "overview.png", BOOK / "_assets" / "social-card.png"
INCHES, DPI = (12.0, 6.3), 100  # 1200 × 630, what networks ask for
TITLE = "Elastic Time: a hands-on book"
SENTENCE = "A frame that can be predicted from the frames before it need not be kept."


def main() -> int:
    """Write the card."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    figure = Figure(figsize=INCHES, dpi=DPI, facecolor="white")
    figure.text(0.5, 0.90, TITLE, ha="center", fontsize=34, weight="bold")
    figure.text(0.5, 0.82, SENTENCE, ha="center", fontsize=18, color="0.25")
    axes = figure.add_axes((0.05, 0.02, 0.9, 0.76))
    axes.imshow(imread(OVERVIEW))
    axes.axis("off")
    with atomic_path(CARD) as path:
        figure.savefig(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
