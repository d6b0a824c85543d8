"""The corpus builder on folders: what it stores, and what it refuses."""

import hashlib
import shutil

import numpy as np
import pytest

from tests.corpus import SETS, add, audio, build, build_corpus, rows, soundfile, wave


def test_manifest_locates_what_was_decoded(tmp_path):
    noises = {
        f"{n}.wav": wave(tmp_path / "in" / f"{n}.wav", 0.2 + 0.1 * n, seed=n) for n in range(30)
    }
    assert add(tmp_path / "in", tmp_path / "out", "--domain", "speech") == 0
    found = rows(tmp_path / "out")
    assert {row["source"] for row in found} == set(noises)
    for row in found:
        np.testing.assert_allclose(
            audio(tmp_path / "out", row) / 32767, noises[row["source"]][:, 0], atol=1e-4
        )
        assert float(row["seconds"]) == pytest.approx(int(row["samples"]) / 22050, abs=1e-3)
        content = (tmp_path / "in" / row["source"]).read_bytes()
        assert row["sha256"] == hashlib.sha256(content).hexdigest()
        assert (row["split"] == "valid") == (int(row["sha256"], 16) % 20 == 0)
    splits = [row["split"] for row in sorted(found, key=lambda r: int(r["start"]))]
    assert splits == sorted(splits), "validation files lie at the end"
    flat = np.load(tmp_path / "out" / "audio" / "speech-train.npy", mmap_mode="r")
    assert flat.dtype == np.int16 and len(flat) == sum(int(row["samples"]) for row in found)


def test_mixed_to_mono_and_resampled(tmp_path):
    wave(tmp_path / "in" / "a.wav", 1.0, 44100, channels=2)
    time = np.arange(44100) / 44100
    sides = np.stack([np.sin(2 * np.pi * 440 * time), 0 * time], axis=1)
    soundfile.write(tmp_path / "in" / "sine.wav", sides, 44100)
    assert add(tmp_path / "in", tmp_path / "out") == 0
    row = next(r for r in rows(tmp_path / "out") if r["source"] == "sine.wav")
    assert (row["samples"], row["source_rate"]) == ("22050", "44100")
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)
    np.testing.assert_allclose(
        audio(tmp_path / "out", row)[500:-500] / 32767, expected[500:-500], atol=2e-3
    )


def test_clips_instead_of_wrapping(tmp_path):
    (tmp_path / "in").mkdir()
    loud = np.linspace(-5, 5, 22050)
    soundfile.write(tmp_path / "in" / "loud.wav", loud, 22050, subtype="FLOAT")
    assert add(tmp_path / "in", tmp_path / "out") == 0
    samples = audio(tmp_path / "out", rows(tmp_path / "out")[0])
    assert (samples.min(), samples.max()) == (-32767, 32767)
    assert (np.diff(samples.astype(int)) >= 0).all()


def test_the_same_content_stands_once_and_test_keeps_it(tmp_path):
    wave(tmp_path / "train" / "a.wav", seed=1)
    wave(tmp_path / "train" / "b.wav", seed=2)
    shutil.copy(tmp_path / "train" / "a.wav", tmp_path / "train" / "copy.wav")
    assert add(tmp_path / "train", tmp_path / "out") == 0
    assert [row["source"] for row in rows(tmp_path / "out")] == ["a.wav", "b.wav"]
    (tmp_path / "test").mkdir()
    shutil.copy(tmp_path / "train" / "a.wav", tmp_path / "test" / "same.wav")
    assert add(tmp_path / "test", tmp_path / "out", "--split", "test") == 0
    assert {row["source"]: row["split"] for row in rows(tmp_path / "out")} == {
        "same.wav": "test",
        "b.wav": "train",
    }


def test_what_cannot_be_used_is_listed(tmp_path):
    wave(tmp_path / "in" / "good.wav")
    wave(tmp_path / "in" / "short.wav", 0.05)
    (tmp_path / "in" / "broken.ogg").write_bytes(b"no audio")
    bad = np.full(22050, np.nan)
    soundfile.write(tmp_path / "in" / "nan.wav", bad, 22050, subtype="FLOAT")
    assert add(tmp_path / "in", tmp_path / "out") == 0
    assert [row["source"] for row in rows(tmp_path / "out")] == ["good.wav"]
    left = (tmp_path / "out" / "left-out.txt").read_text().splitlines()
    assert [line.split("\t")[1] for line in left] == ["broken.ogg", "nan.wav", "short.wav"]


def test_g722(tmp_path):
    av = pytest.importorskip("av", reason="only PyAV reads .g722")
    (tmp_path / "in").mkdir()
    with av.open(str(tmp_path / "in" / "a.g722"), "w", format="g722") as container:
        stream = container.add_stream("g722", rate=16000)
        stream.layout = "mono"
        sine = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000) * 16000
        frame = av.AudioFrame.from_ndarray(sine.astype(np.int16)[None], format="s16", layout="mono")
        frame.rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert add(tmp_path / "in", tmp_path / "out", "--domain", "speech") == 0
    row = rows(tmp_path / "out")[0]
    samples = audio(tmp_path / "out", row).astype(float)
    assert row["source_rate"] == "16000" and abs(len(samples) - 22050) < 50
    assert np.abs(np.fft.rfft(samples)).argmax() * 22050 / len(samples) == pytest.approx(440, abs=2)


def test_a_changed_folder_is_read_again(tmp_path):
    wave(tmp_path / "in" / "a.wav", seed=1)
    add(tmp_path / "in", tmp_path / "out")
    wave(tmp_path / "in" / "a.wav", 0.7, seed=2)
    wave(tmp_path / "in" / "b.wav", seed=3)
    add(tmp_path / "in", tmp_path / "out")
    found = rows(tmp_path / "out")
    assert [(row["source"], row["samples"]) for row in found] == [
        ("a.wav", "15435"),
        ("b.wav", "11025"),
    ]


def test_two_workers_give_the_bytes_of_one(tmp_path):
    for n in range(9):
        wave(tmp_path / "in" / f"{n}.wav", seed=n)
    add(tmp_path / "in", tmp_path / "one")
    add(tmp_path / "in", tmp_path / "two", "--workers", "2")
    for name in ("manifest.csv", "audio/music-train.npy"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sets", "nosuch"], "'nosuch' is none of the 2 sets"),
        (["--audio-dir", "nowhere"], "'nowhere' is not a folder"),
        (["--audio-dir", ".", "--domain", "noise"], "domain 'noise'"),
        (["--audio-dir", ".", "--split", "valid"], "split 'valid'"),
        (["--workers", "0"], "--workers is 0"),
        (["--audio-dir", "."], "0 usable files of 0"),
    ],
)
def test_mistakes_are_said_in_a_sentence(tmp_path, monkeypatch, capsys, words, said):
    (tmp_path / "sets.toml").write_text(SETS)
    monkeypatch.setattr(build_corpus, "REGISTRY", tmp_path / "sets.toml")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert build(tmp_path / "out", *words) == 2
    message = capsys.readouterr().err
    assert said in message and message.count("\n") == 1


def test_train_and_test_never_share_a_package(tmp_path, monkeypatch, capsys):
    shared = SETS.replace('split = "train"', 'split = "test"', 1)
    (tmp_path / "sets.toml").write_text(shared)
    monkeypatch.setattr(build_corpus, "REGISTRY", tmp_path / "sets.toml")
    assert build(tmp_path / "out") == 2
    assert "fake" in capsys.readouterr().err


def test_a_missing_program_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        build_corpus, "package_record", lambda package: build_corpus.command("no-such-program")
    )
    assert build(tmp_path / "out") == 2
    assert "--audio-dir" in capsys.readouterr().err
