"""Folders of sound to shards of latents: resumed, in parallel, with bad files among them."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from et_lite import cli
from et_lite.autoencoders import (
    REGISTRY,
    Layout,
    WaveformAutoencoder,
    exact,
    load_autoencoder,
)
from et_lite.data import LatentStore, corpus_clips
from et_lite.preencoding import (
    REPORT,
    Sound,
    corpus_sounds,
    encode,
    file_pieces,
    folder_sounds,
    preencode,
)
from et_lite.shards import notes

RATE, HOP = 8000, 100


class Levels(torch.nn.Module):
    """Two numbers a latent frame: the mean of its samples, and ten times that."""

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        mean = wave.unflatten(-1, (-1, HOP)).mean(dim=(1, 3))
        return torch.stack([mean, 10 * mean], dim=1)


def levels(together: int = 1, identity: str = "levels") -> WaveformAutoencoder:
    """An autoencoder that is quick and whose latents can be told in advance."""
    layout = Layout(RATE, HOP, 2, together, context=0, piece=64)
    nothing = torch.nn.Identity()
    return WaveformAutoencoder("levels", layout, Levels(), nothing, identity, exact)


def write(root: Path, name: str, value: float, seconds: float = 1, channels: int = 1) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    wave = np.full((int(seconds * RATE), channels), float(value))
    soundfile.write(root / name, wave, RATE)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Six good files of three formats and three bad ones."""
    root = tmp_path / "sounds"
    for index, name in enumerate(("a.wav", "b.flac", "speech/c.wav", "x/d.WAV", "e.ogg")):
        write(root, name, (index + 1) / 10)
    write(root, "f.wav", 0.6, channels=2)
    (root / "bad.wav").write_bytes(b"this is not sound")
    (root / "cut.flac").write_bytes((root / "b.flac").read_bytes()[:20])
    write(root, "empty.wav", 0, seconds=0)
    (root / "._a.wav").write_bytes(b"what an archive leaves behind")
    (root / "notes.txt").write_text("no sound")
    return root


def contents(output: Path) -> dict[str, bytes]:
    return {f.name: f.read_bytes() for f in sorted(output.iterdir())}


def test_good_files_become_clips_and_bad_ones_are_named(folder, tmp_path) -> None:
    output = tmp_path / "latents"
    summary = preencode(folder_sounds(folder, "music", 300), levels, output)
    assert (summary.sounds, summary.clips, summary.shards) == (6, 7, 1)  # stereo gives two
    with open(output / REPORT, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == ["bad.wav", "cut.flac", "empty.wav"]
    assert "0 samples" in rows[2]["reason"] and "not readable audio" in rows[0]["reason"]
    store = LatentStore.load(output)
    assert store.made_by == "levels" and store.of("speech").lengths.tolist() == [80]
    names = json.loads(notes(output / "000000.safetensors")["sounds"])
    assert names == ["a.wav", "b.flac", "e.ogg", "f.wav", "speech/c.wav", "x/d.WAV"]
    found = store.clip(0).mean[0]
    assert found.shape == (2, 80) and (store.clip(0).scale == 0).all()
    torch.testing.assert_close(found[1], torch.full((80,), 1.0), atol=1e-2, rtol=0)


def test_a_second_run_does_nothing_and_a_mended_file_is_added(folder, tmp_path) -> None:
    output, made = tmp_path / "latents", []

    def run(seen: list[str]) -> Iterator[Sound]:
        for sound in folder_sounds(folder, "music", 300):
            yield Sound(
                sound.name, sound.domain, lambda s=sound: (seen.append(s.name), s.pieces())[1]
            )

    preencode(run(made), levels, output)
    before = contents(output)
    again: list[str] = []
    preencode(run(again), levels, output)
    assert contents(output) == before
    assert again == ["bad.wav", "cut.flac", "empty.wav"]  # what failed is tried again
    write(folder, "bad.wav", 0.9)
    summary = preencode(run([]), levels, output)
    assert (summary.sounds, summary.shards, len(summary.skipped)) == (7, 2, 2)
    assert {name: before[name] for name in before if "safe" in name}.items() <= contents(
        output
    ).items()


def test_a_stopped_run_goes_on_from_its_last_shard(folder, tmp_path) -> None:
    whole = preencode(folder_sounds(folder, "music", 300), levels, tmp_path / "whole", 1, 1)

    def until(stop: str) -> Iterator[Sound]:
        for sound in folder_sounds(folder, "music", 300):
            if sound.name == stop:
                raise KeyboardInterrupt
            yield sound

    for stop in ("b.flac", "f.wav"):
        with pytest.raises(KeyboardInterrupt):
            preencode(until(stop), levels, tmp_path / "stopped", 1, 1)
    assert preencode(folder_sounds(folder, "music", 300), levels, tmp_path / "stopped", 1, 1) == (
        whole
    )
    # Of the header, safetensors writes the notes in any order.
    made = [
        {f.name: (notes(f), LatentStore.load(f).digest()) for f in folder.glob("*.safetensors")}
        for folder in (tmp_path / "whole", tmp_path / "stopped")
    ]
    assert made[0] == made[1]
    assert len({(tmp_path / name / REPORT).read_text() for name in ("whole", "stopped")}) == 1
    assert whole.shards == 6  # a limit of one byte: a shard a sound


def test_shards_pass_as_one_file_does(folder, tmp_path) -> None:
    """Draws do not depend on where one shard ends."""
    sounds = folder_sounds(folder, "music", 300)
    for name, limit in (("one", 1 << 20), ("many", 1)):
        preencode(sounds, levels, tmp_path / name, 1, limit)
    one, many = (LatentStore.load(tmp_path / name) for name in ("one", "many"))

    def draw(store: LatentStore) -> torch.Tensor:
        return store.batch(np.random.default_rng(3), torch.Generator().manual_seed(3), 16, 24)

    assert torch.equal(draw(one), draw(many))
    assert torch.equal(one.clip(6).mean, many.clip(6).mean)
    assert many.digest() == LatentStore.load(tmp_path / "many").digest() != one.digest()
    assert many.of("speech").digest() != many.digest()


def test_another_autoencoders_folder_is_refused(folder, tmp_path) -> None:
    sounds = folder_sounds(folder, "music", 300)
    preencode(sounds, levels, tmp_path / "latents")
    before = contents(tmp_path / "latents")
    with pytest.raises(ValueError, match="other latents than this command makes"):
        preencode(sounds, partial(levels, identity="other"), tmp_path / "latents")
    assert contents(tmp_path / "latents") == before


def test_nothing_to_encode_is_said(tmp_path) -> None:
    with pytest.raises(ValueError, match="has no sound files"):
        folder_sounds(tmp_path, "music", 300)
    with pytest.raises(ValueError, match="pieces of -1 s are too short"):
        folder_sounds(tmp_path, "music", -1)
    (tmp_path / "a.wav").write_bytes(b"")
    with pytest.raises(ValueError, match="none of the sounds could be encoded"):
        preencode(folder_sounds(tmp_path, "music", 300), levels, tmp_path / "latents")


def test_long_files_give_equal_pieces_at_the_autoencoders_rate(tmp_path) -> None:
    soundfile.write(tmp_path / "a.wav", np.linspace(-0.5, 0.5, 16_000 * 7), 16_000)
    pieces = list(file_pieces(tmp_path / "a.wav", 2))
    assert [wave.shape for wave, _ in pieces] == [(1, 28_000)] * 4 and pieces[0][1] == 16_000
    sound = Sound("a", "music", partial(file_pieces, tmp_path / "a.wav", 2))
    clips = encode(levels(), sound)
    assert [len(mean) for mean, _ in clips] == [140] * 4  # 1.75 s at 80 frames a second
    joined = np.concatenate([mean[:, 0] for mean, _ in clips])
    assert np.abs(joined - np.linspace(-0.5, 0.5, 560)).max() < 0.05  # in order, none twice


def test_two_channels_may_be_one_stream(tmp_path) -> None:
    for channels in (1, 2, 4):
        write(tmp_path, f"{channels}.wav", 0.5, channels=channels)
        sound = Sound("a", "music", partial(file_pieces, tmp_path / f"{channels}.wav", 300))
        assert len(encode(levels(together=2), sound)) == max(1, channels // 2)
    write(tmp_path, "3.wav", 0.5, channels=3)
    sound = Sound("a", "music", partial(file_pieces, tmp_path / "3.wav", 300))
    with pytest.raises(ValueError, match="3 channels"):
        encode(levels(together=2), sound)


def test_latents_that_float16_cannot_hold_are_refused() -> None:
    sound = Sound("a", "music", lambda: [(np.full((1, 800), 7000.0, np.float32), RATE)])
    with pytest.raises(ValueError, match="not finite in float16"):
        encode(levels(), sound)


def test_a_corpus_gives_shards_too(tmp_path, monkeypatch) -> None:
    rate = 22_050
    (tmp_path / "audio").mkdir()
    values = np.repeat(np.array([8192, 16384], np.int16), 12 * rate)
    np.save(tmp_path / "audio" / "music-train.npy", values)
    rows = ["domain,split,set,start,samples,ships"]
    rows += [f"music,train,a,{i * 12 * rate},{12 * rate},yes" for i in range(2)]
    (tmp_path / "manifest.csv").write_text("\n".join(rows) + "\n")
    monkeypatch.setitem(REGISTRY, "levels", levels)
    common = ["preencode", str(tmp_path), "--autoencoder", "levels", "-o"]
    for name in ("shards", "one.safetensors"):
        assert cli.main([*common, str(tmp_path / name)]) == 0
    shards, one = (LatentStore.load(tmp_path / name) for name in ("shards", "one.safetensors"))
    assert shards.lengths.tolist() == one.lengths.tolist() == [960, 960]  # at 8 kHz, not 22.05
    assert np.array_equal(shards.mean, one.mean)
    assert sorted(one.clip(i).mean[0, 0].median().item() for i in (0, 1)) == [0.25, 0.5]
    clips = list(corpus_clips(tmp_path, "train", 10, rate))
    assert len({sound.name for sound in corpus_sounds(clips)}) == 2


def test_the_command_says_what_it_made_and_skipped(folder, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(REGISTRY, "levels", levels)
    output = tmp_path / "latents"
    command = ["preencode", str(folder), "--autoencoder", "levels", "-o", str(output)]
    assert cli.main(command) == 0
    said = capsys.readouterr()
    assert said.out == "6 sounds, 7 clips, 560 frames in 1 shards\n"
    assert f"3 skipped: {output / REPORT} names them" in said.err
    assert cli.main([*command, "--domain", "noise"]) == 2
    assert "'noise' is not one of music, speech, effects" in capsys.readouterr().err


WORKERS = """
import json, resource, sys
from functools import partial
from pathlib import Path
from et_lite.preencoding import folder_sounds, preencode
from tests.unit.test_preencoding import levels
def peak():
    ours_and_workers = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    return [resource.getrusage(who).ru_maxrss // 1024 for who in ours_and_workers]
if __name__ == "__main__":
    root, output, workers = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    sounds = folder_sounds(root, "music", 300)
    preencode(sounds[: len(sounds) // 4], levels, output, workers, 1 << 16)
    first = peak()
    made = preencode(sounds, levels, output, workers, 1 << 16)
    counts = made.sounds, len(made.skipped), made.shards
    print(json.dumps([first, peak(), counts]))
"""


def in_a_process(tmp_path: Path, root: Path, workers: int) -> list[list[int]]:
    """Peak memory in MB after a quarter, its own and its largest worker's; the same after all;
    and how many sounds, skipped ones and shards there are.
    """
    (tmp_path / "run.py").write_text(WORKERS)
    repository = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": repository, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, tmp_path / "run.py", root, tmp_path / "latents", str(workers)]
    made = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout)


@pytest.mark.slow
def test_workers_make_what_one_process_makes(folder, tmp_path) -> None:
    assert in_a_process(tmp_path, folder, 2)[2] == [6, 3, 2]  # a shard a run
    preencode(folder_sounds(folder, "music", 300), levels, tmp_path / "alone")
    store, alone = (LatentStore.load(tmp_path / name) for name in ("latents", "alone"))
    levels_of = [np.sort(np.asarray(s.mean)[:, 0]) for s in (store, alone)]
    assert np.array_equal(*levels_of)


@pytest.mark.slow
def test_a_worker_that_dies_is_said_with_what_it_was_at(tmp_path) -> None:
    sounds = [Sound(name, "music", partial(os._exit, 3)) for name in ("one", "two")]
    with pytest.raises(ValueError, match="a worker process died at one of one, two: take fewer"):
        preencode(sounds, partial(load_autoencoder, "spectral-vae"), tmp_path / "latents", 2)


@pytest.mark.slow
def test_a_thousand_files_of_which_ten_are_bad(tmp_path) -> None:
    """Done-when of the scale: 990 entries, the ten named, nothing done twice, flat memory."""
    root, bad = tmp_path / "sounds", {f"{i:04}.wav" for i in range(7, 1000, 100)}
    for index in range(1000):
        write(root, f"{index:04}.wav", index / 2000, seconds=2)
    for name in bad:
        (root / name).write_bytes((root / name).read_bytes()[:30])
    first, last, counts = in_a_process(tmp_path, root, 2)
    assert counts[:2] == [990, 10] and counts[2] > 3
    assert min(first) > 100  # MB: torch alone takes that, so that both were measured
    assert all(b - a < 20 for a, b in zip(first, last, strict=True))  # with four times the files
    with open(tmp_path / "latents" / REPORT, newline="") as file:
        assert {row["file"] for row in csv.DictReader(file)} == bad
    before = contents(tmp_path / "latents")
    assert in_a_process(tmp_path, root, 1)[2] == counts
    assert contents(tmp_path / "latents") == before
