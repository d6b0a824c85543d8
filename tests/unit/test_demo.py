"""The demo as its reader and `gradio_client` meet it: every method, every refusal, no file left."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from et_lite import answers, audio, cli, codec, demo
from et_lite.config import SYSTEMS
from et_lite.payload import ElasticPayload

RATE = 22_050
LIFETIME = 2  # seconds that the demo keeps files, here


def files_in(folder: Path) -> set[Path]:
    return {file for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """Where everything temporary goes, so that all that is left behind is seen."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def systems(trained, tmp_path, monkeypatch) -> Iterator[None]:
    """Untrained tiny models of every system stand in for the shipped ones."""
    for system in SYSTEMS:
        trained(system)
    monkeypatch.setattr(codec, "WEIGHTS", tmp_path / "models")
    answers.codec_of.cache_clear()
    yield
    answers.codec_of.cache_clear()


@pytest.fixture
def asked(systems, temporary, tmp_path) -> Iterator[Callable]:
    """Ask the running demo's API."""
    with demo.running(lifetime=LIFETIME) as address:
        options = {"download_files": str(tmp_path / "got"), "analytics_enabled": False}
        yield Client(address, verbose=False, **options).predict


@pytest.fixture
def clip(clips, tmp_path) -> Path:
    """A second of speech, far from full scale."""
    wave, rate = soundfile.read(clips / "speech_1.flac", frames=RATE)
    soundfile.write(tmp_path / "my clip.wav", wave / 4, rate)
    return tmp_path / "my clip.wav"


def test_every_method_answers(asked, clip) -> None:
    source, _ = soundfile.read(clip, dtype="int16")
    for system in SYSTEMS:
        told = (handle_file(str(clip)), system, answers.TRAINED, 0.5)
        *heard, boundaries, files, facts = asked(*told, api_name="/rebuild")
        sounds = [soundfile.read(file, dtype="int16") for file in heard]
        assert {(len(wave), rate) for wave, rate in sounds} == {(RATE, RATE)}
        assert np.array_equal(sounds[0][0], source)  # not scaled to its peak
        stored = ElasticPayload.load(files[0])
        decoded = answers.codec_of(system).decompress(stored)[0]
        assert np.abs(decoded.clip(-1, 1) * 32768 - sounds[2][0]).max() <= 1
        assert Path(files[1]).read_bytes() == Path(heard[2]).read_bytes()
        assert Path(files[0]).name.startswith(f"my_clip.{system}-{stored.kept}"[:12])
        assert f"the {stored.kept} of {stored.frames} frames" in boundaries
        assert facts["kept"].startswith(f"{stored.kept} of {stored.frames} frames")
        pictures, table, marked = asked(*told, api_name="/sweep")
        assert pictures.count("<img alt=") == 2
        kept, rate, mel, _ = (marked["chosen"][head] for head in answers.HEADS)
        assert rate == pytest.approx(stored.frame_rate, abs=1e-4)
        assert [kept, rate, mel] in [row[:3] for row in table["data"]]
        assert table["data"] == sorted(table["data"]) and mel > 0


def test_the_solvers_offered_are_those_a_method_takes(asked, clip) -> None:
    with pytest.raises(AppError, match="which has its own way to choose frames"):
        asked(handle_file(str(clip)), "uniform-hold", "greedy", 0.5, api_name="/rebuild")
    for system, some in (("et-dp", True), ("uniform-hold", False)):
        offered = [name for name, _ in asked(system, api_name="/solvers")["choices"]]
        assert offered[0] == answers.TRAINED
        assert ("greedy" in offered, "uniform" in offered) == (some, True)


def bad_files(folder: Path) -> dict[Path, str]:
    """Files that are refused, and what is said of each."""
    told = {
        "long.wav": "Long.wav lasts 1200.0 s or more, over the 60 s allowed: cut it.",
        "text.wav": "Text.wav is not readable audio .*: convert it to WAV.",
        "nan.wav": "Audio has 4000 samples that are not finite: replace NaN and infinity.",
        "empty.wav": "Audio has 0 samples: give at least one.",
        "short.wav": r"Short.wav lasts 0.001 s: give 0.2 s or more.",
        "six.wav": "Six.wav has 6 channels: mix it to mono or stereo.",
        "slow.wav": "Slow.wav is at 100 Hz, outside 8000 to 192000: resample it.",
    }
    soundfile.write(folder / "long.wav", np.zeros(1200 * 8000), 8000, "PCM_U8")
    (folder / "text.wav").write_text("this is not sound")
    soundfile.write(folder / "nan.wav", np.full(4000, np.nan), 8000, "FLOAT")
    soundfile.write(folder / "empty.wav", np.zeros(0), 8000)
    soundfile.write(folder / "short.wav", np.zeros(8), 8000)
    soundfile.write(folder / "six.wav", np.zeros((8000, 6)), 8000)
    soundfile.write(folder / "slow.wav", np.zeros(100), 100)
    return {folder / name: words for name, words in told.items()}


def test_bad_files_are_refused_and_no_file_is_left_behind(asked, temporary, tmp_path, clip) -> None:
    for file, words in bad_files(tmp_path).items():
        for name in ("/rebuild", "/sweep"):
            with pytest.raises(AppError) as refused:
                asked(handle_file(str(file)), "et-dp", answers.TRAINED, 0.5, api_name=name)
            assert re.search(words, str(refused.value), re.IGNORECASE)
            assert str(temporary) not in str(refused.value)
    with pytest.raises(AppError, match="There is no sound yet"):
        asked(None, "et-dp", answers.TRAINED, 0.5, api_name="/rebuild")
    asked(handle_file(str(clip)), "et-dp", answers.TRAINED, 0.5, api_name="/rebuild")
    asked("music_stereo", api_name="/clip")
    assert len(files_in(temporary)) >= 4
    ends = time.monotonic() + 20 * LIFETIME
    while files_in(temporary) and time.monotonic() < ends:
        time.sleep(0.2)
    assert files_in(temporary) == set()


def test_nothing_is_left_when_the_demo_ends(systems, temporary) -> None:
    with demo.running():
        (folder,) = temporary.iterdir()
        assert os.environ["GRADIO_TEMP_DIR"] == str(folder)
    assert list(temporary.iterdir()) == [] and "GRADIO_TEMP_DIR" not in os.environ


def test_a_long_file_is_not_decoded(tmp_path, monkeypatch) -> None:
    soundfile.write(tmp_path / "long.wav", np.zeros(61 * 8000), 8000)
    monkeypatch.setattr(soundfile.SoundFile, "read", None)  # a call would fail
    with pytest.raises(ValueError, match=r"lasts 61.0 s or more, over the 60 s allowed"):
        audio.read(tmp_path / "long.wav", longest=60)


def test_rates_that_a_method_does_not_reach_are_left_out(systems, clip) -> None:
    found = answers.sweep(clip, "conv-downsample", answers.TRAINED, 0.9)
    assert found.chosen in found.rows
    assert found.chosen[0] == pytest.approx(0.5, abs=0.05)  # its only one, in place of 0.9
    assert found.ceiling[0] == 1 and found.ceiling[3] == 0


def test_beside_the_book(systems, temporary, tmp_path, capsys) -> None:
    book = tmp_path / "html"
    assert cli.main(["demo", "--book", str(book)]) == 2
    assert "holds no index.html: run make book first" in capsys.readouterr().err
    book.mkdir()
    (book / "index.html").write_text("the book")
    page = TestClient(demo.beside(book))
    assert page.get("/").text == "the book"
    assert "gradio" in page.get("/demo/").text
    assert page.get("/none").status_code == 404

    (book / demo.PAGE).parent.mkdir()
    (book / demo.PAGE).write_text(f"<div {demo.NOWHERE}>")
    page = TestClient(demo.beside(book))
    assert page.get(f"/{demo.PAGE}").text == '<div data-live="/demo/">'


def test_stopping_the_command_leaves_nothing(tmp_path) -> None:
    command = [sys.executable, "-m", "et_lite.cli", "demo", "--port", "7869"]
    told = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, env=told, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "http://127.0.0.1:7869/\n"
    assert list(tmp_path.glob("et-lite-demo-*"))
    process.send_signal(signal.SIGTERM)
    # gradio makes an empty folder of its own when it is loaded.
    assert process.wait(60) == 0 and files_in(tmp_path) == set()
    assert not list(tmp_path.glob("et-lite-demo-*"))
