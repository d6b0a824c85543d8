"""The quick evaluation crops that ship: complete, sounding, credited, and free to share."""

import csv
import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from et_lite.data import Crop
from et_lite.quick import quick_crops

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import build_quick  # noqa: E402
import corpus_clips  # noqa: E402
import corpus_store  # noqa: E402
import soundfile  # noqa: E402

DOMAINS = ("music", "speech", "effects")
Table = dict[str, list[dict[str, str]]]  # rows by the name of their crop


@pytest.fixture(scope="module")
def crops() -> list[Crop]:
    return list(quick_crops())


@pytest.fixture(scope="module")
def table() -> Table:
    """The rows of every evaluation crop."""
    rows: Table = {}
    with open(ROOT / "assets" / "eval_v1.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["crop"], []).append(row)
    return rows


@pytest.fixture(scope="module")
def credited() -> list[list[str]]:
    """The cells of the attribution's rows that stand in the part of the quick crops."""
    text = (ROOT / "assets" / "ATTRIBUTION.md").read_text(encoding="utf-8")
    part = text.split("<!-- quick crops -->")[1].split("<!-- end of quick crops -->")[0]
    lines = [line for line in part.splitlines() if re.match(r"\| \w+_\d{3} \|", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_there_are_eight_full_sounding_crops_a_domain(crops: list[Crop], table: Table) -> None:
    assert Counter(crop.domain for crop in crops) == dict.fromkeys(DOMAINS, 8)
    for crop in crops:
        rows = table[crop.name]
        assert (crop.domain, crop.unit) == (rows[0]["domain"], rows[0]["unit"])
        assert crop.wave.shape == (220_500,) and crop.wave.dtype == np.float32
        assert np.sqrt(np.square(crop.wave).mean()) > 10 ** (-45 / 20), crop.name
        assert (crop.wave == 0).mean() < 0.3, "more silence than gaps make"
    assert len({crop.unit for crop in crops}) == 24


def test_files_are_small_flac_of_the_evaluation_alone(crops: list[Crop]) -> None:
    files = list((ROOT / "assets" / "quick").iterdir())
    assert {file.name for file in files} == {f"{crop.name}.flac" for crop in crops}
    assert sum(file.stat().st_size for file in files) < 8_000_000
    for file in files:
        facts = soundfile.info(file)
        assert (facts.samplerate, facts.channels, facts.subtype) == (22_050, 1, "PCM_16")


def test_every_piece_is_credited_and_free(
    crops: list[Crop], table: Table, credited: list[list[str]]
) -> None:
    pieces = Counter(row[0] for row in credited)
    assert pieces == {crop.name: len(table[crop.name]) for crop in crops}
    for _, title, author, file, package, licence in credited:
        assert title and package and re.fullmatch(r"`[^`]+`", file)
        assert re.fullmatch(r"\[[^]]+\]\(https?://\S+\)", author)
        name = re.match(r"\[(.+?)\]", licence)
        assert name and licence == f"[{name[1]}]({corpus_clips.LICENCES[name[1]]})"
        assert "carts" not in file  # nobody is named for these


def test_a_folder_without_crops_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has 0 crops of eval_v1.csv"):
        list(quick_crops(tmp_path))


def candidates(count: int) -> dict[str, build_quick.Candidate]:
    """So many crops a domain: units of three crops each, the first half by one author."""
    found = {}
    for domain in DOMAINS:
        for i in range(count):
            piece = {"author": "A" if 2 * i < count else f"B{i // 3}"}
            found[f"{domain}_{i}"] = build_quick.Candidate(domain, f"u{i // 3}", "s", [piece])
    return found


def test_the_choice_spreads_over_units_and_authors() -> None:
    crops = candidates(30)
    names = build_quick.choose(crops)
    assert names == build_quick.choose(crops) and len(set(names)) == 24
    for domain in DOMAINS:
        mine = [crops[name] for name in names if crops[name].domain == domain]
        assert len(mine) == 8 and len({crop.unit for crop in mine}) == 8
    with pytest.raises(corpus_store.CorpusError, match="music has 7 crops .* 8 are needed"):
        build_quick.choose(candidates(7))


def test_what_has_no_author_of_its_own_is_not_credited() -> None:
    row = {"set": "effects-minetest", "package": "p", "version": "1"}
    for name, author in (("default_ice_dig.2", "dheming"), ("carts_cart_moving.1", None)):
        piece = build_quick.credited({**row, "source": f"mods/sounds/{name}.ogg"}, {})
        assert (piece and piece["author"]) == author
    row |= {"set": "effects-sonic-pi", "source": "samples/perc_impact1.flac"}
    samples = {"percimpact1": {"author": "hullum"}}
    piece = build_quick.credited(row, samples)
    assert piece and (piece["author"], piece["title"]) == ("hullum", "Perc impact1")
    assert build_quick.credited(row | {"source": "buffers/rand-stream.wav"}, samples) is None


def test_parts_of_the_attribution_keep_each_other(tmp_path: Path) -> None:
    path = tmp_path / "ATTRIBUTION.md"
    for name, text in (("a", "one"), ("b", "two"), ("a", "three")):
        corpus_clips.write_section(path, name, text)
    whole = path.read_text()
    assert whole.startswith("# Attribution\n") and "one" not in whole
    assert whole.index("three") < whole.index("two")
    path.write_text(whole.replace("<!-- end of b -->\n", ""))
    with pytest.raises(corpus_store.CorpusError, match="end of b"):
        corpus_clips.write_section(path, "b", "four")
