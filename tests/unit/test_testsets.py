"""The public test sets, from small folders that are laid out as the real ones are published."""

import csv
import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from torch.nn import Conv1d
from torch.nn import ConvTranspose1d as Transposed

from et_lite import cli, embeddings, evaluation
from et_lite.autoencoders import REGISTRY, Layout, WaveformAutoencoder, exact
from et_lite.codec import ElasticCodec
from et_lite.methods import build
from et_lite.metrics import mel_distance, si_sdr, stft_distance
from et_lite.sweep import RATE, load_models, packed
from et_lite.testsets import SETS, by_set, cut, fetch_set, hub, open_sets
from et_lite.training import publish

VIDEOS = {"-aBcDeFgHiJ": "{}", "_w2pA1VeB40": "Y{}", "rgrmLLhxoCQ": "{}_30.000_40.000"}


def write(file: Path, seconds: float = 3.0, rate: int = 44_100, channels: int = 2) -> None:
    """A sound that tells where in it one is: a rising tone, the other channel half as loud."""
    file.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(int(seconds * rate)) / rate
    tone = 0.5 * np.sin(6.283 * (200 + 300 * time) * time)
    soundfile.write(file, np.stack([tone, tone / 2][:channels], axis=1), rate)


def write_csv(file: Path, rows: list[dict[str, object]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "w", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def song_describer(folder: Path) -> None:
    """Two instrumental tracks, one of them with two captions, and one that is sung."""
    rows = [
        {"caption_id": n, "track_id": t, "caption": "a tune", "artist_id": a, "path": p}
        for n, (t, a, p) in enumerate(
            [
                (1004034, 368880, "34/1004034.mp3"),
                (1004034, 368880, "34/1004034.mp3"),
                (1007274, 429137, "74/1007274.mp3"),
                (415600, 7, "00/415600.mp3"),
            ]
        )
    ]
    for row in rows:
        write(folder / "audio" / str(row["path"]).replace(".mp3", ".2min.mp3"))
    write_csv(folder / "song_describer.csv", rows)
    write_csv(folder / "song_describer-nosinging.csv", rows[:3])


def audiocaps(folder: Path) -> None:
    """Four test clips, each named as another tool does, one that is gone, one of another split."""
    videos = [*VIDEOS, "ByItsCaptio", "goneForEver"]
    write_csv(
        folder / "test.csv",
        [
            {"audiocap_id": 10 * n + k, "youtube_id": v, "start_time": 30, "caption": "a bang"}
            for n, v in enumerate(videos)
            for k in range(5)
        ],
    )
    for video, name in VIDEOS.items():
        write(folder / "test" / f"{name.format(video)}.wav", 2.0, 32_000, 1)
    write(folder / "test" / "32.wav", 2.0, 32_000, 1)  # a caption of the fourth
    write(folder / "train" / "trainVideo1.wav", 2.0, 32_000, 1)


def daps(folder: Path) -> None:
    """Two speakers with two texts, in two of the fifteen versions, with what macOS leaves."""
    for speaker in ("f1", "m10"):
        for text in ("script1", "script2"):
            for version in ("clean", "produced"):
                write(folder / "daps" / version / f"{speaker}_{text}_{version}.wav", channels=1)
    (folder / "daps" / "clean" / "._f1_script1_clean.wav").write_bytes(b"macOS")


def muchin(folder: Path) -> None:
    for name in ("s_0001", "s_0002"):
        write(folder / "MuChin-1000-mp3-audio" / f"{name}.mp3")


WRITTEN = {
    "song-describer": song_describer,
    "audiocaps": audiocaps,
    "daps": daps,
    "muchin": muchin,
}
EXPECTED = {
    "song-describer": {"1004034": "artist 368880", "1007274": "artist 429137"},
    "audiocaps": {v: v for v in sorted((*VIDEOS, "ByItsCaptio"))},
    "daps": {f"{s}_{t}_clean": s for s in ("f1", "m10") for t in ("script1", "script2")},
    "muchin": {"s_0001": "s_0001", "s_0002": "s_0002"},
}


@pytest.fixture
def folder(tmp_path) -> Callable[[str], Path]:
    """The folder of a set, written for this test."""

    def make(name: str) -> Path:
        WRITTEN[name](tmp_path / name)
        return tmp_path / name

    return make


@pytest.mark.parametrize("name", SETS)
def test_each_layout_is_read(folder, name) -> None:
    items = sorted(SETS[name].items(folder(name)))
    assert {item.name: item.unit for item in items} == EXPECTED[name]
    assert all(item.file.is_file() for item in items)


@pytest.mark.parametrize("name", SETS)
def test_every_item_gives_one_crop_of_the_length(folder, name) -> None:
    opened = open_sets([f"{name}={folder(name)}"], RATE, 1.5)
    crops = list(opened.crops)
    assert opened.total == len(crops) == len(EXPECTED[name])
    assert {crop.name for crop in crops} == {f"{name}_{item}" for item in EXPECTED[name]}
    for crop in crops:
        assert crop.domain == name and crop.unit.startswith(f"{name} ")
        channels = 2 if name in ("song-describer", "muchin") else 1
        assert (crop.wave.shape, crop.rate) == ((channels, round(1.5 * RATE)), RATE)
        assert 0.1 < np.abs(crop.wave).max() < 0.6
    assert opened.card[name]["crops"] == len(crops)


def test_a_crop_is_a_chunk_of_its_file_the_same_at_every_rate(folder) -> None:
    place = folder("song-describer")
    item = sorted(SETS["song-describer"].items(place))[0]
    wave, rate = soundfile.read(item.file, dtype="float32")
    crop = cut(item, "song-describer", rate, 1.0)
    starts = np.flatnonzero((wave[: len(wave) - rate + 1] == crop.wave[:, 0]).all(axis=1))
    assert any(np.array_equal(wave[s : s + rate], crop.wave.T) for s in starts)
    half = cut(item, "song-describer", rate // 2, 1.0)
    # The tone is far below the half rate's limit, so every second sample is nearly the same.
    assert np.abs(half.wave - crop.wave[:, ::2])[:, 100:-100].max() < 0.01


def test_more_than_two_channels_become_one(tmp_path) -> None:
    channels = np.array([0.1, 0.2, 0.6])
    soundfile.write(tmp_path / "s_1.wav", np.tile(channels, (RATE, 1)), RATE, subtype="FLOAT")
    (crop,) = open_sets([f"muchin={tmp_path}"], RATE, 0.5).crops
    assert crop.wave.shape == (1, RATE // 2) and np.allclose(crop.wave, 0.3)


def test_crops_begin_at_places_that_hang_on_the_name_alone(folder) -> None:
    place = folder("daps")
    before = {crop.name: crop.wave for crop in open_sets([f"daps={place}"], RATE, 1.0).crops}
    first, other = (before[f"daps_f1_script{n}_clean"] for n in (1, 2))
    assert not np.array_equal(first, other)  # the files are the same, the places are not
    (place / "daps" / "clean" / "f1_script1_clean.wav").unlink()
    after = {crop.name: crop.wave for crop in open_sets([f"daps={place}"], RATE, 1.0).crops}
    assert len(after) == 3 and all(np.array_equal(before[n], w) for n, w in after.items())


def test_a_short_item_ends_in_silence(folder) -> None:
    (crop, *_) = open_sets([f"audiocaps={folder('audiocaps')}"], RATE).crops
    (wave,) = crop.wave
    assert len(wave) == 10 * RATE
    assert np.abs(wave[: 2 * RATE]).max() > 0.1 and not wave[2 * RATE + 100 :].any()


def test_sources_differ_where_the_crops_do(folder) -> None:
    place = folder("muchin")

    def source(**options: float) -> str:
        return open_sets([f"muchin={place}"], RATE, **options).source

    assert source(seconds=1) == source(seconds=1)
    found = {source(seconds=1), source(seconds=2), source(seconds=1, most=1)}
    write(place / "MuChin-1000-mp3-audio" / "s_0002.mp3", 4.0)
    assert len({*found, source(seconds=1)}) == 4


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("libri=x", "set 'libri=x' is not NAME=DIR with one of song-describer, audiocaps"),
        ("daps", "set 'daps' is not NAME=DIR"),
        ("daps=EMPTY", "has 0 sounds of DAPS: unpack it there .zenodo 4660670.$"),
        ("muchin=EMPTY", "has 0 sounds of MuChin: .* or say muchin=hub$"),
        ("audiocaps=EMPTY", "lacks test.csv: put it there from the AudioCaps repository"),
        ("song-describer=EMPTY", "lacks song_describer-nosinging.csv: put it there from stable-"),
        ("daps=hub", "set 'daps' is not on the Hub, which has audiocaps, muchin: fetch it"),
    ],
)
def test_what_is_missing_is_said(tmp_path, given, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        open_sets([given.replace("EMPTY", str(tmp_path))], RATE)


def test_a_missing_track_is_named(folder) -> None:
    place = folder("song-describer")
    next(place.rglob("1007274.*")).unlink()
    with pytest.raises(ValueError, match=r"lacks 1 of 2 tracks, such as 1007274.2min.mp3: unpack"):
        open_sets([f"song-describer={place}"], RATE)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_lengths_that_are_none_are_refused(folder, seconds) -> None:
    with pytest.raises(ValueError, match="cannot be cut: give a length over 0"):
        open_sets([f"muchin={folder('muchin')}"], RATE, seconds)


def test_the_command_measures_sets_as_it_does_the_corpus(
    trained, folder, small_embedding, tmp_path, monkeypatch
) -> None:
    kinds = dict.fromkeys(("music", "speech", "effects", "vocal"), small_embedding)
    monkeypatch.setattr(embeddings, "load_embeddings", lambda: kinds)
    names = [trained("et-greedy"), trained("uniform-hold")]
    places = [f"{name}={folder(name)}" for name in SETS]
    command = ["evaluate", "--set", *places, "--seconds", "1.5", "--models", *names]
    command += ["--keep", "0.5", "0.8", "--run-dir", str(tmp_path / "run")]
    assert cli.main(command) == 0
    out = tmp_path / "run" / "evaluation_sets"
    card = json.loads(out.with_suffix(".json").read_text())
    counts = {name: len(items) for name, items in EXPECTED.items()}
    assert card["crops"] == counts and card["corpus"] is None
    assert {name: found["crops"] for name, found in card["sets"].items()} == counts
    assert card["command"].startswith(
        "et-lite evaluate --set song-describer=DIR audiocaps=DIR muchin=DIR daps=DIR "
        "--seconds 1.5 --models et-greedy uniform-hold"
    )
    assert str(tmp_path) not in json.dumps(card)
    rows = pd.read_parquet(out.with_suffix(".parquet"))
    assert len(rows) == sum(counts.values()) * (2 * 2 + 1)
    speakers = rows[rows.domain == "daps"].groupby("unit").crop.nunique()
    assert speakers.to_dict() == {"daps f1": 2, "daps m10": 2}
    pairs = pd.read_csv(tmp_path / "run" / "evaluation_sets_pairs.csv")
    assert set(pairs.domain) == set(SETS)
    fad = pd.read_csv(tmp_path / "run" / "evaluation_sets_fad.csv")
    assert set(fad.domain) == set(SETS)
    assert fad.set_index("domain").crops.to_dict() == counts

    # Other crops are measured anew, the same ones are not.
    folders = len(list((tmp_path / "run").iterdir()))
    assert cli.main(command) == 0
    assert len(list((tmp_path / "run").iterdir())) == folders
    command[command.index("1.5")] = "1"
    assert cli.main(command) == 0
    assert len(list((tmp_path / "run").iterdir())) == folders + 4  # originals and three systems


@pytest.fixture
def together(tiny_of, tmp_path, monkeypatch) -> str:
    """A model on an autoencoder that codes two channels together, at 44.1 kHz as the paper's."""
    torch.manual_seed(3)
    layers = [make(*size, 2048, 2048) for make, size in ((Conv1d, (2, 8)), (Transposed, (8, 2)))]
    base = WaveformAutoencoder("pair", Layout(44_100, 2048, 8, 2, 0, 64), *layers, "d" * 64, exact)
    monkeypatch.setitem(REGISTRY, "pair", lambda: base)
    stem = tmp_path / "pair" / "et-greedy"
    publish(build(tiny_of("et-greedy")), stem, {"name": "pair", "sha256": base.identity}, "none")
    return str(stem)


@pytest.mark.parametrize("name", ["song-describer", "daps"])
@pytest.mark.parametrize("kind", ["together", "each alone"])
def test_a_row_is_that_of_the_codec_at_the_autoencoders_rate(
    trained, together, folder, small_embedding, tmp_path, name, kind
) -> None:
    """In stereo and in mono, for a network that codes channels together and for another."""
    stem = together if kind == "together" else trained("et-greedy")
    codec = ElasticCodec.from_pretrained(stem)
    rate = codec.autoencoder.sample_rate
    assert rate == (44_100 if kind == "together" else 22_050)
    crop = next(open_sets([f"{name}={folder(name)}"], rate, 1.5).crops)
    models, kept = load_models([stem], [0.6]), tmp_path / "cells"
    rows, originals = evaluation.sweep(models, [crop], kept, {name: small_embedding})
    payload = codec.compress(crop.wave, rate, 0.6)
    rebuilt = codec.decompress(payload)
    row = rows[rows.system == "et-greedy"].iloc[0]
    assert (row.frames, row.kept, row.reached) == (payload.frames, payload.kept, True)
    assert row.side_bits == payload.side_information_bits
    assert row.mel_distance == mel_distance(rebuilt, crop.wave, rate)
    assert row.stft_distance == stft_distance(rebuilt, crop.wave)
    assert row.si_sdr == si_sdr(rebuilt, crop.wave)
    assert row.embeddings == packed(small_embedding(rebuilt.mean(axis=0), rate))
    assert originals[crop.name] == packed(small_embedding(crop.wave.mean(axis=0), rate))
    analysis = codec.analyse(crop.wave, rate)
    pairs = zip(torch.from_numpy(payload.anchors), torch.from_numpy(payload.lengths), strict=True)
    with torch.no_grad():
        x = torch.cat([codec.latents(anchors, lengths) for anchors, lengths in pairs])
    assert row.latent_error == float((x - analysis.outer).square().mean())
    alone = rows[rows.system == "autoencoder"].iloc[0]
    decoded = codec.autoencoder.decode(analysis.outer).numpy()[:, : crop.wave.shape[1]]
    decoded = decoded if len(crop.wave) == 2 else decoded.mean(axis=0, keepdims=True)
    assert alone.mel_distance == mel_distance(decoded, crop.wave, rate)


def test_a_set_is_judged_by_the_network_of_its_kind() -> None:
    kinds = {"music": 1, "effects": 2, "vocal": 3, "speech": 4}
    assert by_set(kinds, ["daps", "muchin"]) == {"daps": 4, "muchin": 3}


def fake_hub(monkeypatch, snapshot: Path) -> list[tuple[object, ...]]:
    """huggingface_hub with one folder in it, and the calls that it gets."""
    calls: list[tuple[object, ...]] = []

    def snapshot_download(repository, *, repo_type, allow_patterns):
        calls.append((repository, repo_type, *allow_patterns))
        if not snapshot.is_dir():
            raise OSError("the Hub rests\nand a traceback")
        return str(snapshot)

    fake = SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    return calls


def test_the_hubs_sets_become_folders_once(tmp_path, monkeypatch) -> None:
    snapshot = tmp_path / "snapshot"
    (snapshot / "data").mkdir(parents=True)
    sound = io.BytesIO()
    soundfile.write(sound, np.full(320, 0.5), 32_000, format="FLAC")
    clips = [("vidAAAAAAAA", 1), ("vidAAAAAAAA", 2), ("vidBBBBBBBB", 3)]
    shard = pd.DataFrame(
        [
            {
                "audiocap_id": n,
                "youtube_id": v,
                "audio": {"bytes": sound.getvalue(), "path": "x.flac"},
            }
            for v, n in clips
        ]
    )
    shard[:2].to_parquet(snapshot / "data" / "test-00000-of-00002.parquet")
    shard[2:].to_parquet(snapshot / "data" / "test-00001-of-00002.parquet")
    with zipfile.ZipFile(snapshot / "MuChin-1000-mp3-audio.zip", "w") as archive:
        archive.writestr("songs/s_1.flac", sound.getvalue())
    calls = fake_hub(monkeypatch, snapshot)
    for _ in range(2):
        found = fetch_set("audiocaps", tmp_path / "sets")
        items = SETS["audiocaps"].items(found)
        assert [item.name for item in items] == ["vidAAAAAAAA", "vidBBBBBBBB"]
        assert soundfile.info(items[0].file).frames == 320
    assert calls == [("OpenSound/AudioCaps", "dataset", "data/test-*.parquet")]
    (song,) = SETS["muchin"].items(fetch_set("muchin", tmp_path / "sets"))
    assert song.name == "s_1" and song.file.is_file()


def test_a_fetch_that_was_stopped_begins_again(tmp_path, monkeypatch) -> None:
    (tmp_path / "sets" / "muchin").mkdir(parents=True)  # of the run before
    fake_hub(monkeypatch, tmp_path / "gone")
    with pytest.raises(ValueError, match=r"MuChin1k could not be fetched \(the Hub rests\): check"):
        fetch_set("muchin", tmp_path / "sets")
    assert not (tmp_path / "sets" / "muchin" / hub.DONE).exists()


def test_a_missing_hub_library_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ValueError, match="needs huggingface_hub .*: run pip install"):
        fetch_set("muchin", tmp_path)
