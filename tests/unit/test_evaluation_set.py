"""The evaluation crops: fixed, full, from test sets alone, and cut as the table says."""

import csv
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from et_lite.data import evaluation_crops

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import build_corpus  # noqa: E402
import build_eval  # noqa: E402

RATE = 22_050


@pytest.fixture(scope="module")
def table() -> list[dict[str, str]]:
    with open(ROOT / "assets" / "eval_v1.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_there_are_enough_crops_of_every_domain(table) -> None:
    counts = Counter({row["crop"]: row["domain"] for row in table}.values())
    assert all(counts[domain] >= 120 for domain in ("music", "speech", "effects")), counts
    assert counts["vocal"] >= 1


def test_crops_are_full_and_name_test_sets_only(table) -> None:
    entries, _ = build_corpus.registry(build_corpus.REGISTRY)
    splits = {entry["set"]: entry["split"] for entry in entries}
    assert {splits[row["set"]] for row in table} == {"test"}
    pieces = defaultdict(list)
    for row in table:
        pieces[row["crop"]].append(int(row["samples"]))
    for name, samples in pieces.items():
        length = sum(samples) + build_eval.GAP * (len(samples) - 1)
        assert 9.79 * RATE < length <= 10 * RATE, name


def test_units_are_files_of_music_and_crops_of_what_is_joined(table) -> None:
    for row in table:
        whole = row["domain"] in ("music", "vocal")
        assert row["unit"] == (row["id"] if whole else row["crop"])
    joined = [row["id"] for row in table if row["domain"] in ("speech", "effects")]
    assert len(joined) == len(set(joined)), "a joined file is in one crop only"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """One song of 35 s, and twenty words of 1.5 s by two speakers, all of test sets."""
    numbers = np.random.default_rng(0)
    (tmp_path / "audio").mkdir()
    fields = "id,domain,split,set,source,start,samples"
    rows = [f"song,music,test,m,a/song.ogg,0,{35 * RATE}"]
    length = int(1.5 * RATE)
    for index in range(20):
        language = ("de", "fr")[index % 2]
        source = f"share/klettres/{language}/{index}.ogg"
        rows.append(f"w{index},speech,test,k,{source},{index * length},{length}")
    rows.append(f"bang,effects,test,e,bang.ogg,0,{12 * RATE}")
    rows.append(f"choir,vocal,test,v,choir.ogg,0,{12 * RATE}")
    sizes = {"music": 35 * RATE, "speech": 20 * length, "effects": 12 * RATE, "vocal": 12 * RATE}
    for domain, samples in sizes.items():
        noise = numbers.integers(-9000, 9000, samples).astype(np.int16)
        np.save(tmp_path / "audio" / f"{domain}-test.npy", noise)
    (tmp_path / "manifest.csv").write_text("\n".join([fields, *rows]) + "\n")
    return tmp_path


def write_table(path: Path, rows: list[dict[str, object]]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, build_eval.FIELDS)
        writer.writeheader()
        writer.writerows(rows)


def test_choice_is_repeatable_and_read_back_as_chosen(corpus, tmp_path) -> None:
    rows = build_eval.choose(corpus)
    assert rows == build_eval.choose(corpus)
    write_table(tmp_path / "t.csv", rows)
    crops = list(evaluation_crops(tmp_path / "t.csv", corpus, RATE))
    assert Counter(c.domain for c in crops) == {"music": 3, "speech": 2, "effects": 1, "vocal": 1}
    speech = np.load(corpus / "audio" / "speech-test.npy")
    for crop in crops:
        assert crop.wave.shape == (10 * RATE,) and np.abs(crop.wave).max() < 0.3
        if crop.domain != "speech":
            assert (crop.wave == 0).mean() < 0.01
            continue
        mine = [row for row in rows if row["crop"] == crop.name]
        assert len({int(str(row["id"])[1:]) % 2 for row in mine}) == 1  # one speaker
        place = 0
        for row in mine:
            start, samples = int(str(row["id"])[1:]) * int(1.5 * RATE), int(row["samples"])
            expected = speech[start : start + samples] / np.float32(32768)
            np.testing.assert_array_equal(crop.wave[place : place + samples], expected)
            gap = crop.wave[place + samples : place + samples + RATE // 5]
            assert (gap == 0).all()
            place += samples + RATE // 5


def test_quiet_crops_are_left_out(corpus) -> None:
    np.save(corpus / "audio" / "effects-test.npy", np.ones(12 * RATE, np.int16))
    assert not [row for row in build_eval.choose(corpus) if row["domain"] == "effects"]


def test_missing_files_are_named(corpus, tmp_path) -> None:
    rows = build_eval.choose(corpus)
    rows[0]["id"] = "elsewhere"
    write_table(tmp_path / "t.csv", rows)
    with pytest.raises(ValueError, match="lacks the file elsewhere of m"):
        list(evaluation_crops(tmp_path / "t.csv", corpus, RATE))
