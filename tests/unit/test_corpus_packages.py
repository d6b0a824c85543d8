"""The corpus builder on packages: what it repeats, and what it continues."""

import shutil
from pathlib import Path

import pytest

from tests.corpus import SETS, Mirror, add, build, build_corpus, corpus_store, rows, state, wave

pytestmark = pytest.mark.skipif(
    not (shutil.which("dpkg-deb") and shutil.which("dpkg")),
    reason="packing and unpacking a package needs dpkg",
)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    """The builder with a mirror of its own."""
    mirror = Mirror(tmp_path / "mirror")
    (tmp_path / "sets.toml").write_text(SETS)
    monkeypatch.setattr(build_corpus, "REGISTRY", tmp_path / "sets.toml")
    monkeypatch.setattr(build_corpus, "package_record", mirror.record)
    monkeypatch.setattr(build_corpus, "download", mirror.download)
    return mirror


def test_a_second_run_changes_nothing(mirror, tmp_path):
    out = tmp_path / "out"
    assert build(out) == 0
    found = [(row["set"], row["source"]) for row in rows(out)]
    assert found == [
        ("bangs", "usr/share/fake/data.zip/deep/bang.wav"),
        *[("songs", f"usr/share/fake/songs/{n}.wav") for n in range(3)],
    ]
    assert {row["version"] for row in rows(out)} == {"1:2-3"}
    before = state(out)
    assert build(out) == 0
    assert state(out) == before
    assert mirror.downloads == 1


def test_an_interrupted_run_continues(mirror, tmp_path, monkeypatch):
    whole, out = tmp_path / "whole", tmp_path / "out"
    build(whole)
    decode = corpus_store.decode

    def fails_late(job):
        if job[1].endswith("bang.wav"):
            raise KeyboardInterrupt
        return decode(job)

    monkeypatch.setattr(corpus_store, "decode", fails_late)
    with pytest.raises(KeyboardInterrupt):
        build(out)
    assert not list(out.rglob(".tmp-*"))
    assert sorted(path.name for path in (out / "parts").iterdir()) == ["songs.json", "songs.pcm"]
    before = state(out)
    # What a run leaves that was killed with no chance to clean up.
    (out / "parts" / ".tmp-bangs.pcm").write_bytes(b"half")
    (out / "audio").mkdir()
    (out / "audio" / ".tmp-music-train.npy").write_bytes(b"half")
    monkeypatch.setattr(corpus_store, "decode", decode)
    assert build(out) == 0
    assert not list(out.rglob(".tmp-*"))
    after = state(out)
    assert all(after[name] == before[name] for name in before), "what was done is not done again"
    for name in ("manifest.csv", "audio/music-train.npy", "audio/effects-train.npy"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    assert mirror.downloads == 2


def test_interrupted_while_joining(mirror, tmp_path, monkeypatch):
    out = tmp_path / "out"
    build(out)
    before = {name: content for name, (_, content) in state(out).items()}
    wave(tmp_path / "more" / "a.wav", seed=9)
    write_store = corpus_store.write_store

    def fails_late(path, chosen, root):
        if path.stem == "music-train":
            raise KeyboardInterrupt
        write_store(path, chosen, root)

    monkeypatch.setattr(corpus_store, "write_store", fails_late)
    with pytest.raises(KeyboardInterrupt):
        add(tmp_path / "more", out, "--domain", "effects")
    assert not (out / "manifest.csv").exists(), "a manifest must not describe half a store"
    monkeypatch.setattr(corpus_store, "write_store", write_store)
    shutil.rmtree(tmp_path / "more")
    for part in (out / "parts").glob("more.*"):
        part.unlink()
    assert build(out) == 0
    assert {name: content for name, (_, content) in state(out).items()} == before


def test_a_corrupted_download_is_fetched_again(mirror, tmp_path):
    out = tmp_path / "out"
    build(out)
    before = state(out)
    deb = out / "deb" / "fake_1%3a2-3_all.deb"
    content = bytearray(deb.read_bytes())
    content[len(content) // 2] ^= 1
    deb.write_bytes(content)
    assert build(out) == 0
    assert mirror.downloads == 2
    after = state(out)
    assert after.pop(str(deb))[1] == before.pop(str(deb))[1]
    assert after == before


def test_a_download_that_never_fits_is_refused(mirror, tmp_path, capsys):
    mirror.sha256 = "0" * 64
    assert build(tmp_path / "out") == 2
    assert "SHA-256" in capsys.readouterr().err
    assert not list((tmp_path / "out").rglob("*.deb"))


def test_new_metadata_leaves_the_samples_alone(mirror, tmp_path):
    out = tmp_path / "out"
    build(out)
    before = state(out / "audio")
    registry = tmp_path / "sets.toml"
    registry.write_text(registry.read_text().replace('author = "A"', 'author = "Ada"'))
    assert build(out) == 0
    assert {row["author"] for row in rows(out)} == {"Ada", "B"}
    assert state(out / "audio") == before


def test_sets_chooses(mirror, tmp_path):
    assert build(tmp_path / "out", "--sets", "bangs") == 0
    assert {row["set"] for row in rows(tmp_path / "out")} == {"bangs"}
