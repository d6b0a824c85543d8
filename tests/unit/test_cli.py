"""The command line as a user meets it, on shipped models and real clips."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from et_lite import audio, autoencoders, cli
from et_lite.payload import ElasticPayload


def run(*arguments: object) -> int:
    return cli.main([str(a) for a in arguments])


@pytest.mark.parametrize(
    ("clip", "channels", "rate"), [("music_stereo", 2, 44_100), ("speech_1", 1, 22_050)]
)
def test_file_to_payload_and_back(clips, tmp_path, capsys, clip, channels, rate) -> None:
    source, payload, output = clips / f"{clip}.flac", tmp_path / "x.etp", tmp_path / "y.wav"
    assert run("compress", source, "-o", payload, "--keep", 0.5) == 0
    assert run("decompress", payload, "-o", output) == 0
    before, after = soundfile.info(source), soundfile.info(output)
    assert (after.samplerate, after.channels) == (before.samplerate, before.channels)
    assert (after.samplerate, after.channels) == (rate, channels)
    assert after.frames == before.frames
    assert run("info", payload) == 0
    shown = capsys.readouterr().out
    stored = ElasticPayload.load(payload)
    assert stored.kept == -(-stored.frames // 2)
    assert f"kept              {stored.kept} of {stored.frames} frames" in shown
    assert f"frame rate        {stored.frame_rate:.3f}" in shown
    assert f"side information  {stored.side_information_bits:.0f} bits" in shown
    assert f"size              {payload.stat().st_size} bytes" in shown


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [
        ("wav", "PCM_U8"),
        ("wav", "PCM_16"),
        ("wav", "PCM_24"),
        ("wav", "PCM_32"),
        ("wav", "FLOAT"),
        ("flac", "PCM_16"),
        ("ogg", "VORBIS"),
        ("mp3", "MPEG_LAYER_III"),
    ],
)
def test_formats_and_depths(tmp_path, tone, suffix, subtype) -> None:
    source = tmp_path / f"in.{suffix}"
    soundfile.write(source, tone.T, 44_100, subtype=subtype)
    assert run("compress", source, "-o", tmp_path / "a.etp") == 0
    assert run("decompress", tmp_path / "a.etp", "-o", tmp_path / f"out.{suffix}") == 0
    wave, rate = soundfile.read(tmp_path / f"out.{suffix}")
    assert rate == 44_100 and wave.shape[1] == 2
    if suffix != "mp3":  # MP3 pads by itself
        assert len(wave) == len(soundfile.read(source)[0])


@pytest.mark.slow
def test_minutes_of_vorbis_are_written(tmp_path) -> None:
    """libvorbis overflows its stack on long writes: they go in blocks."""
    audio.write(tmp_path / "long.ogg", np.zeros((2, 44_100 * 120), np.float32), 44_100)
    assert soundfile.info(tmp_path / "long.ogg").frames == 44_100 * 120


def test_what_a_format_cannot_hold_is_said(tmp_path) -> None:
    for name, channels, rate in (("a.mp3", 3, 44_100), ("a.mp3", 1, 96_000), ("a.flac", 9, 8000)):
        with pytest.raises(ValueError, match=f"cannot hold {channels} channels at {rate} Hz"):
            audio.write(tmp_path / name, np.zeros((channels, 10)), rate)
    assert list(tmp_path.iterdir()) == []


def test_decompress_never_takes_the_originals_name(tmp_path, tone) -> None:
    soundfile.write(tmp_path / "a.wav", tone.T, 44_100)
    before = (tmp_path / "a.wav").read_bytes()
    assert run("compress", tmp_path / "a.wav") == 0
    assert run("decompress", tmp_path / "a.etp") == 0
    assert (tmp_path / "a.wav").read_bytes() == before
    assert {f.name for f in tmp_path.iterdir()} == {"a.wav", "a.etp", "a.decoded.wav"}


def test_ten_silent_samples_come_back(tmp_path) -> None:
    soundfile.write(tmp_path / "s.wav", np.zeros(10), 16_000)
    assert run("compress", tmp_path / "s.wav", "-o", tmp_path / "s.etp") == 0
    assert run("decompress", tmp_path / "s.etp", "-o", tmp_path / "t.wav") == 0
    wave, rate = soundfile.read(tmp_path / "t.wav")
    assert (len(wave), rate) == (10, 16_000)
    assert np.abs(wave).max() < 1e-3


def refused(capsys, *arguments: object) -> str:
    """The one sentence that a refused command prints; nothing else, exit code 2."""
    assert run(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and len(printed.err.strip().splitlines()) == 1
    return printed.err


def test_bad_sounds_are_refused(tmp_path, capsys) -> None:
    wav, etp = tmp_path / "a.wav", tmp_path / "a.etp"
    soundfile.write(wav, np.zeros(0), 16_000)
    assert "0 samples" in refused(capsys, "compress", wav, "-o", etp)
    soundfile.write(wav, np.full(100, np.nan), 16_000, subtype="FLOAT")
    assert "100 samples that are not finite" in refused(capsys, "compress", wav, "-o", etp)
    wav.write_text("this is not sound")
    assert "not readable audio" in refused(capsys, "compress", wav, "-o", etp)
    wav.write_bytes(b"")
    assert "not readable audio" in refused(capsys, "compress", wav, "-o", etp)
    assert "does not exist" in refused(capsys, "compress", tmp_path / "none.wav", "-o", etp)
    assert not etp.exists()


@pytest.mark.parametrize("keep", ["0", "2", "-0.5", "nan"])
def test_bad_fractions_are_refused(clips, tmp_path, capsys, keep) -> None:
    said = refused(capsys, "compress", clips / "speech_1.flac", f"--keep={keep}")
    assert "(0, 1]" in said


def test_bad_payloads_are_refused(clips, tmp_path, capsys) -> None:
    file, out = tmp_path / "a.etp", tmp_path / "a.wav"
    assert run("compress", clips / "speech_1.flac", "-o", file) == 0
    whole = file.read_bytes()
    for damaged in (
        whole[:-1],
        whole[: len(whole) // 2],
        whole[:-9] + b"?" + whole[-8:],
        b"x",
        b"",
    ):
        file.write_bytes(damaged)
        for command in (["decompress", file, "-o", out], ["info", file]):
            assert "make it again" in refused(capsys, *command)
    assert "does not exist" in refused(capsys, "info", tmp_path / "none.etp")
    assert not out.exists()


def test_bad_options_are_refused(clips, tmp_path, capsys) -> None:
    clip, etp = clips / "speech_1.flac", tmp_path / "a.etp"
    options = {"--model": "huge", "--solver": "magic", "--precision": "int4"}
    for option, value in options.items():
        assert repr(value) in refused(capsys, "compress", clip, "-o", etp, option, value)
    assert run("compress", clip, "-o", etp) == 0
    assert "not an audio format" in refused(capsys, "decompress", etp, "-o", tmp_path / "a.xyz")
    for command in (
        ["compress", clip, "--keep", "half"],
        ["train", etp, "-o", etp, "--steps", "0"],
    ):
        with pytest.raises(SystemExit) as stopped:
            run(*command)
        assert stopped.value.code == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_shortfall_is_said(clips, tmp_path, capsys) -> None:
    clip, etp = clips / "speech_1.flac", tmp_path / "a.etp"
    assert run("compress", clip, "-o", etp, "--keep", "0.02", "--solver", "greedy") == 0
    assert "asked for: use --solver dp or agglomerative" in capsys.readouterr().err


def test_installed_command_answers_quickly_without_torch() -> None:
    code = "import sys, et_lite.cli as c; c._parser(); print('torch' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert printed.stdout.strip() == "False"
    command = Path(sys.executable).with_name("et-lite")
    helped = subprocess.run([command, "--help"], capture_output=True, text=True)
    assert helped.returncode == 0 and "compress" in helped.stdout


def small_store(root: Path, clips: Path) -> None:
    """A corpus in the layout of scripts/build_corpus.py: two files a domain."""
    (root / "audio").mkdir(parents=True)
    rows = ["domain,split,set,start,samples"]
    for domain in ("music", "speech", "effects"):
        waves = [soundfile.read(clips / f"{domain}_{n}.flac", dtype="int16")[0] for n in (1, 2)]
        waves[0] = np.tile(waves[0], 2)  # training clips are at least 10 s
        np.save(root / "audio" / f"{domain}-train.npy", np.concatenate(waves))
        rows.append(f"{domain},train,a,0,{len(waves[0])}")
        rows.append(f"{domain},valid,a,{len(waves[0])},{len(waves[1])}")
    (root / "manifest.csv").write_text("\n".join(rows) + "\n")


def test_training_from_a_corpus_ends_with_a_codec_that_works(tmp_path, monkeypatch, clips) -> None:
    """train-base, preencode, train and compress in a chain, on a tiny corpus and few steps."""
    small_store(tmp_path / "corpus", clips)
    latents, model = tmp_path / "latents.safetensors", tmp_path / "et"
    common = ("--seed", 3, "--steps", 2)
    runs = tmp_path / "runs"
    corpus = tmp_path / "corpus"
    base = ("train-base", corpus, "--phase-steps", 2, "--run-dir", runs, "-o", tmp_path)
    assert run(*base, *common) == 0

    def load() -> autoencoders.SpectralAutoencoder:
        return autoencoders.load_spectral(tmp_path / "spectral-vae", tmp_path / "phase-head")

    monkeypatch.setitem(autoencoders.REGISTRY, "own", load)
    assert run("preencode", corpus, "-o", latents, "--autoencoder", "own", "--minutes", 1) == 0
    train = ("train", latents, "-o", model, *common, "--run-dir", runs / "m")
    assert run(*train) == 2  # the shipped autoencoder did not make these latents
    assert run(*train, "--autoencoder", "own") == 0
    assert run(*base, "--seed", 4, "--steps", 2) == 2  # the folder holds seed 3's checkpoint
    etp = tmp_path / "x.etp"
    monkeypatch.setitem(autoencoders.REGISTRY, "spectral-vae", load)
    assert run("compress", clips / "speech_1.flac", "-o", etp, "--model", model) == 0
    assert run("decompress", etp, "-o", tmp_path / "x.wav", "--model", model) == 0
