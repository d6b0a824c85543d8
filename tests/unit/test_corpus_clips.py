"""The clips that ship, and their attribution."""

import os

import numpy as np
import pytest

from tests.corpus import build_corpus, corpus_clips, corpus_store, soundfile, state, wave


def test_the_registry_holds():
    entries, _ = build_corpus.registry(build_corpus.REGISTRY)
    free = ("CC0-", "CC-BY-")
    for entry in entries:
        if entry.get("ships"):
            licences = entry["licence"].split(", ")
            assert all(licence.startswith(free) for licence in licences), entry["set"]
    assert {(entry["domain"], entry["split"]) for entry in entries} == {
        (domain, split) for domain in build_corpus.DOMAINS for split in build_corpus.SPLITS
    }


def test_shipped_clips(root):
    check = corpus_clips.check_clip
    _, clips = build_corpus.registry(build_corpus.REGISTRY)
    attribution = (root / "assets" / "ATTRIBUTION.md").read_text()
    folder = root / "assets" / "clips"
    assert {path.name for path in folder.iterdir()} == {f"{clip['name']}.flac" for clip in clips}
    for clip in clips:
        samples, rate = soundfile.read(folder / f"{clip['name']}.flac", dtype="int16")
        check(clip["name"], samples, rate)
        assert len(samples) == clip["seconds"] * rate
        assert rate == (44100 if clip.get("stereo") else 22050)
        assert f"| {clip['name']} |" in attribution
    assert sum(os.path.getsize(path) for path in folder.iterdir()) < 1_500_000


@pytest.mark.parametrize("change", [{"ships": False}, {"split": "train"}])
def test_a_clip_must_be_free_and_unseen(tmp_path, change):
    entry = {"set": "s", "package": "p", "split": "test", "ships": True} | change
    clip = {"name": "c", "set": "s", "seconds": 1.0, "pieces": []}
    with pytest.raises(corpus_store.CorpusError, match="ships = true"):
        corpus_clips.build_clips([clip], [entry], lambda package: (tmp_path, {}), tmp_path)


def test_clips_are_joined_and_credited(tmp_path):
    wave(tmp_path / "x" / "a.wav", 1.0, seed=1)
    wave(tmp_path / "x" / "b.wav", 0.5, 44100, seed=2, channels=2)
    entry = {"set": "s", "package": "p", "split": "test", "ships": True}
    shared = {"title": "T", "author": "A", "link": "https://example.org", "licence": "CC0-1.0"}
    pieces = [{"source": "a.wav", "start": 0.5, "take": 0.3}, {"source": "b.wav", "author": "B"}]
    clip = {"name": "c", "set": "s", "seconds": 1.2, "pieces": pieces, **shared}
    unpack = lambda package: (tmp_path / "x", {"Version": "7"})  # noqa: E731
    trained = {"set": "t", "package": "q", "split": "train", "ships": True}
    trained |= {"author": "C", "licence": "CC-BY-3.0"}
    kept_back = {**trained, "set": "u", "ships": False}
    entries = [entry, trained, kept_back]
    corpus_clips.build_clips([clip], entries, unpack, tmp_path / "assets")
    samples, rate = soundfile.read(tmp_path / "assets" / "clips" / "c.flac")
    assert (len(samples), rate) == (round(1.2 * 22050), 22050)
    silent = samples[round(0.301 * 22050) : round(0.499 * 22050)]
    assert (silent == 0).all() and samples[: round(0.3 * 22050)].std() > 0.1
    text = (tmp_path / "assets" / "ATTRIBUTION.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("| c |")]
    assert "| t | C | q |" in text and "| u |" not in text and "| s |" not in text
    assert ["[A]" in lines[0], "[B]" in lines[1], "p 7" in lines[0]] == [True] * 3
    before = state(tmp_path / "assets")
    corpus_clips.build_clips([clip], entries, unpack, tmp_path / "assets")
    assert state(tmp_path / "assets") == before


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (np.full(22050, 100), "level"),
        (np.r_[np.full(22050, 9000), np.zeros(30000)], "silence"),
        (np.full(22050, 32767), "peak"),
    ],
)
def test_poor_clips_are_refused(samples, said):
    with pytest.raises(corpus_store.CorpusError, match=said):
        corpus_clips.check_clip("c", samples.astype(np.int16), 22050)
