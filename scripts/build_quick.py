"""Write the quick evaluation crops that ship: assets/quick, 8 a domain, and their attribution.

    python scripts/build_quick.py --corpus corpus

They are crops of assets/eval_v1.csv, sample for sample. Only those are chosen of which every file
may ship and has an author of its own in the credits of its package; among them, crops of as many
authors and files as there are. A second run changes nothing.
"""

import argparse
import csv
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import numpy as np
import soundfile
from corpus_clips import credit, write_section
from corpus_store import RATE, CorpusError

from et_lite.data import DOMAINS, evaluation_crops, read_manifest
from et_lite.storage import ASSETS, atomic_path

TABLE = ASSETS / "eval_v1.csv"
PER_DOMAIN = 8
MINETEST = "https://github.com/minetest/minetest_game/"
# What the packages' credits say of their files: pattern, author, link, or number at Freesound, and
# licence. Left out on purpose are files that they credit to nobody (carts), to several people at
# once, or otherwise than the file's own tags do.
CREDITS = f"""\
hr3-*                    | Shawn Parrotte   | http://www.shawnparrotte.com | CC-BY-SA-3.0
hr-savino-*              | Will Savino      | http://www.willsavino.net | CC-BY-SA-3.0
hr-domina-*              | Lincoln Domina   | https://www.roguetemple.com/z/hyper/ | CC-BY-SA-3.0
it_IT_m_Carlo/*          | Carlo Flora      | http://www.carloflora.com | CC-BY-3.0
ru_RU_f_IvrvoiceRU/*     | Maxim Topal      | http://www.ivrvoice.ru | CC-BY-3.0
default_dig_choppy.*     | Sheyvan          | 476113 | CC0-1.0
default_dig_cracky.*     | Benboncan        | 71823  | CC-BY-3.0
default_dig_metal.*      | yadronoff        | 320397 | CC-BY-3.0
default_dug_metal.*      | Iwan Gabovitch   | http://opengameart.org/users/qubodup | CC0-1.0
default_furnace_active.* | iankath          | 173991 | CC0-1.0
default_grass_footstep.* | Mito551          | {MINETEST} | CC-BY-SA-3.0
default_gravel_dig.*     | lolamadeus       | 179341 | CC0-1.0
default_gravel_dug.*     | lolamadeus       | 179341 | CC0-1.0
default_gravel_foot*     | Mito551          | {MINETEST} | CC-BY-SA-3.0
default_ice_dig.*        | dheming          | 268023 | CC-BY-3.0
default_ice_dug.*        | Angel_Perez_Grandi | 49190 | CC-BY-3.0
default_ice_footstep.*   | InspectorJ       | 416967 | CC-BY-3.0
default_metal_footstep.* | mypantsfelldown  | 398937 | CC0-1.0
default_place_node.*     | Mito551          | {MINETEST} | CC-BY-SA-3.0
default_place_node_hard.* | Mito551         | {MINETEST} | CC-BY-SA-3.0
default_sand_footstep.*  | worthahep88      | 319224 | CC0-1.0
default_snow_footstep.*  | Ryding           | 94337  | CC0-1.0
default_tool_breaks.*    | HerbertBoland    | 33206  | CC-BY-3.0
default_water_footstep.* | AGFX | https://freesound.org/people/AGFX/packs/1253/ | CC-BY-3.0
doors_fencegate_open.*   | mhtaylor67       | 126041 | CC0-1.0
doors_glass_door_*       | SkeetMasterFunk69 | 235546 | CC0-1.0
env_sounds_water.*       | Yuval            | 197023 | CC0-1.0
fire_fire.*              | Dynamicell       | 17548  | CC-BY-3.0
fire_large.*             | Dynamicell       | 17548  | CC-BY-3.0
fire_small.*             | dobroide         | 4211   | CC-BY-3.0
player_damage.*          | sonictechtonic   | 241872 | CC-BY-3.0
tnt_explode.*            | steveygos93, edited by TumeniNodes | 80401 | CC0-1.0
tnt_gunpowder_burning.*  | frankelmedico, edited by TumeniNodes | 348767 | CC0-1.0
xpanes_steel_bar_door_*  | TumeniNodes      | {MINETEST} | CC-BY-SA-3.0
"""
# Sonic Pi's own list of its samples, all of them CC0.
SAMPLES = "x/sonic-pi-samples/usr/share/sonic-pi/samples/README.md"
SAMPLE = re.compile(r"`:(\w+)`\s*-\s*(\S+/people/([^/]+)/sounds/\d+/)")
# Titles that the file's name does not tell: of one file, or of all in a set.
TITLES = {
    "hr-savino-ivory": "Ivory Tower",
    "speech-asterisk-it": "Asterisk prompts, Italian",
    "speech-asterisk-ru": "Asterisk prompts, Russian",
}
HEAD = """\
The crops in `quick/` are those of `eval_v1.csv` by the same names: 10 s of the works below, each
under the licence named beside it, cut, joined with gaps of 0.2 s where there are several, mixed to
mono and resampled to 22 050 Hz. They come from Debian packages. Their order in a crop is the order
here. Where the credits in a package name no title, the file's name stands for it.
Written by `python scripts/build_quick.py`.

| crop | title | author | file | package | licence |
|---|---|---|---|---|---|
"""
Piece = dict[str, str]  # what a row of the attribution says


class Candidate(NamedTuple):
    """A crop that may ship: its domain, unit, set, and pieces."""

    domain: str
    unit: str
    set: str
    pieces: list[Piece]

    def owner(self) -> str:
        """Its author, or the set where it has several."""
        authors = {piece["author"] for piece in self.pieces}
        return authors.pop() if len(authors) == 1 else self.set


def sample_credits(root: Path) -> Iterator[tuple[str, Piece]]:
    """Authors and links of Sonic Pi's samples, by their names without underscores."""
    if not (root / SAMPLES).is_file():
        raise CorpusError(
            f"{root} has {SAMPLES} 0 times where 1 is needed: run scripts/build_corpus.py first."
        )
    for name, link, author in SAMPLE.findall((root / SAMPLES).read_text("utf-8")):
        # The list writes perc_impact_1 where the file is perc_impact1.
        yield name.replace("_", ""), {"author": unquote(author), "link": link, "licence": "CC0-1.0"}


def credit_lines() -> Iterator[tuple[str, Piece]]:
    """The table of credits above."""
    for line in CREDITS.splitlines():
        pattern, author, link, licence = (field.strip() for field in line.split("|"))
        link = f"https://freesound.org/s/{link}/" if link.isdigit() else link
        yield f"*/{pattern}", {"author": author, "link": link, "licence": licence}


def credited(row: Piece, samples: dict[str, Piece]) -> Piece | None:
    """The piece that a row of the manifest is, or None where nobody in particular is its author."""
    source = Path(row["source"])
    if row["set"] == "effects-sonic-pi":
        found = samples.get(source.stem.replace("_", ""))
    else:
        found = next((piece for pattern, piece in credit_lines() if fnmatch(source, pattern)), None)
    if not found:
        return None
    # hr3-caves: Caves; default_ice_dig.1: Ice dig
    name = re.sub(r"^(hr3-|hr-[a-z]+-|default_)|\.\d+$", "", source.stem)
    title = TITLES.get(source.stem) or TITLES.get(row["set"]) or name.replace("_", " ").capitalize()
    version = f"{row['package']} {row['version']}"
    return {"title": title, "source": row["source"], "version": version, **found}


def candidates(root: Path) -> dict[str, Candidate]:
    """The crops of which every file may ship and is credited, by name."""
    samples = dict(sample_credits(root))
    manifest = {row["id"]: row for row in read_manifest(root, "test") if row["ships"] == "yes"}
    found: dict[str, Candidate] = {}
    barred = set()
    with open(TABLE, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            name = row["crop"]
            piece = credited(manifest[row["id"]], samples) if row["id"] in manifest else None
            if piece is None:
                barred.add(name)
                continue
            crop = found.setdefault(name, Candidate(row["domain"], row["unit"], row["set"], []))
            crop.pieces.append(piece)
    return {name: crop for name, crop in found.items() if name not in barred}


def choose(crops: dict[str, Candidate], seed: int = 0) -> list[str]:
    """Names of 12 crops a domain; whoever has had the fewest so far comes next.

    CorpusError where there are not as many.
    """
    chance = random.Random(seed)
    chosen: list[str] = []
    for domain in DOMAINS:
        left = sorted(name for name in crops if crops[name].domain == domain)
        if len(left) < PER_DOMAIN:
            raise CorpusError(
                f"{domain} has {len(left)} crops that may ship where {PER_DOMAIN} are needed: "
                "build the corpus with --large."
            )
        chance.shuffle(left)
        had: Counter[str] = Counter()
        for _ in range(PER_DOMAIN):
            name = min(left, key=lambda n: (had[crops[n].unit], had[crops[n].owner()]))
            left.remove(name)
            chosen.append(name)
            had.update({crops[name].unit, crops[name].owner()})
    return chosen


def holds(path: Path, samples: np.ndarray) -> bool:
    """Whether a file has exactly these samples (n,) int16, mono at the corpus's rate."""
    if not path.is_file():
        return False
    found, rate = soundfile.read(path, dtype="int16")
    return rate == RATE and np.array_equal(found, samples)


def write_crops(root: Path, names: list[str], folder: Path) -> None:
    """Write each crop as FLAC, unless it stands there already, and remove what was not chosen."""
    for crop in evaluation_crops(TABLE, root, RATE):
        path = folder / f"{crop.name}.flac"
        if crop.name not in names:
            path.unlink(missing_ok=True)
            continue
        samples = np.rint(crop.wave * 32768).astype(np.int16)
        if holds(path, samples):
            continue
        with atomic_path(path) as temporary:
            soundfile.write(
                temporary, samples, RATE, format="FLAC", subtype="PCM_16", compression_level=1
            )
            if not holds(temporary, samples):
                raise CorpusError(f"{path.name} was read back otherwise than written: try again.")


def main(words: list[str] | None = None) -> int:
    """Write the crops and their attribution; 2 when the person running it has something to mend."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=Path("corpus"))
    root = parser.parse_args(words).corpus
    try:
        crops = candidates(root)
        names = sorted(choose(crops))
        write_crops(root, names, ASSETS / "quick")
        rows = [credit(n, piece, piece["version"]) for n in names for piece in crops[n].pieces]
        write_section(ASSETS / "ATTRIBUTION.md", "quick crops", HEAD + "".join(rows))
    except (CorpusError, ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
