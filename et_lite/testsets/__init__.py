"""The paper's four public test sets: how they are laid out, and the crops that are heard of them.

They are evaluated like the bundled one (`et-lite evaluate --set NAME=DIR`; book: evaluation).
"""

from et_lite.testsets.crops import SECONDS, Opened, by_set, cut, open_sets
from et_lite.testsets.hub import HUB, fetch_set
from et_lite.testsets.layouts import SETS, Item, PublicSet, audiocaps, daps, muchin, song_describer

__all__ = [
    "HUB",
    "SECONDS",
    "SETS",
    "Item",
    "Opened",
    "PublicSet",
    "audiocaps",
    "by_set",
    "cut",
    "daps",
    "fetch_set",
    "muchin",
    "open_sets",
    "song_describer",
]
