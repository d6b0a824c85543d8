"""The directives `made`, `pace` and `reading`: facts that are read off files at build.

`made` tells what made every stored number, `pace` how long a lite training takes, `reading` how
long the pages are. None of it is typed in by hand, so none of it can be out of date.
"""

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from et_lite.config import PRESETS
from et_lite.storage import ASSETS

SPEEDS = ASSETS.parent / "benchmarks" / "training.json"
HEADS = ("file", "made by", "seed", "commit", "machine")
BASE = {"spectral_vae", "phase_head"}  # one command trains both
SYSTEM, CLIPS = "et-greedy", 4  # the batch that `paper` is timed with (benchmarks/training.md)
WORDS_A_MINUTE = 200
PROSE = ("book/", "notebooks/")  # what is read from start to end
NOT_PROSE = ("book/api/", "book/made", "book/bibliography", "book/glossary", "book/notation")


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows as a table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def model_row(file: Path) -> list[str]:
    """A row of HEADS for a trained model, from its card."""
    card = json.loads(file.read_text(encoding="utf-8"))
    seed = card.get("seed", card["config"]["seed"])
    command = f"et-lite train-base corpus --seed {seed}"
    if card["kind"] not in BASE:
        data = card["data"].split()[0]
        name = card["name"]
        command = f"et-lite train runs/latents/{data} --system {name} --seed {seed} "
        command += f"-o assets/weights/{name}"
    weights = f"`{file.name.removesuffix('.json')}.safetensors`"
    return [weights, f"`{command}`", str(seed), f"`{card['commit']}`", card["machine"]]


def result_row(file: Path) -> list[str]:
    """A row of HEADS for a stored result. ValueError where its card does not say what made it."""
    card = json.loads(file.read_text(encoding="utf-8"))
    for key in ("command", "commit"):
        if key not in card:
            raise ValueError(f"{file.name} names no {key}, where every result must: write it anew")
    made = [f"`{card['command']}`", str(card.get("seed", "")), f"`{card['commit']}`"]
    return [f"`{file.name}`", *made, card.get("machine", "that of the models")]


def pace_rows(speeds: dict[str, Any]) -> list[list[str]]:
    """A row a system: the median time of a lite step, and that of all its steps."""
    rows, steps = [], PRESETS["lite"].steps
    for name, found in speeds["systems"].items():
        preset, _, system = name.partition("/")
        if preset == "lite" and "," not in system:  # stages of one training have a comma
            seconds = statistics.median(found["seconds"])
            rows.append([f"`{system}`", f"{seconds:.2f} s", f"{steps * seconds / 60:.0f} min"])
    return rows


def words(file: Path) -> int:
    """How many words of prose are in a page: in a notebook, those of its text."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return len(text.split())


class Made(SphinxDirective):
    """`{made} weights` and `{made} results`: a table of the cards in that folder of assets/."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The table; the page is read anew when a card changes."""
        folder = ASSETS / self.arguments[0]
        cards = sorted(folder.glob("*.json"))
        for file in (folder, *cards):
            self.env.note_dependency(str(file))
        row = model_row if folder.name == "weights" else result_row
        return self.parse_text_to_nodes(markdown(HEADS, map(row, cards)))


class Pace(SphinxDirective):
    """How long the lite preset takes, from `benchmarks/training.json`."""

    def run(self) -> list[nodes.Node]:
        """A table, and what it was measured on."""
        self.env.note_dependency(str(SPEEDS))
        speeds = json.loads(SPEEDS.read_text(encoding="utf-8"))
        machines = {found["machine"] for found in speeds["systems"].values()}
        heads = ("system", "a step", f"all {PRESETS['lite'].steps} steps")
        seconds = statistics.median(speeds["systems"][f"paper/{SYSTEM}"]["seconds"])
        days = PRESETS["paper"].steps * seconds / 86_400
        text = (
            f"{markdown(heads, pace_rows(speeds))}\n\n"
            f"Measured on: {'; '.join(sorted(machines))}.\n\n"
            f"There, a step of the preset `paper` takes {seconds:.1f} s with {CLIPS} clips. Its "
            f"{PRESETS['paper'].steps:,} steps would take {days:.0f} days with so few, and its own "
            f"batch has {PRESETS['paper'].batch} clips."
        )
        return self.parse_text_to_nodes(text)


class Reading(SphinxDirective):
    """How many words the chapters have, and how long they take to read."""

    def run(self) -> list[nodes.Node]:
        """One sentence."""
        pages = [p for p in self.env.found_docs if p.startswith(PROSE)]
        pages = [p for p in pages if not p.startswith(NOT_PROSE)]
        count = sum(words(Path(self.env.doc2path(page))) for page in pages)
        minutes = round(count / WORDS_A_MINUTE / 10) * 10
        text = (
            f"{len(pages)} pages of about {round(count, -3):,} words together: some {minutes} "
            f"minutes at {WORDS_A_MINUTE} words a minute, and the time that you listen."
        )
        return self.parse_text_to_nodes(text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    for directive in (Made, Pace, Reading):
        app.add_directive(directive.__name__.lower(), directive)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
