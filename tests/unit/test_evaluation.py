"""The sweep: equal to the codec and its metrics, resumable, honest about what is not reached."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from et_lite import cli, embeddings, evaluation, sweep
from et_lite.cache import code_hash
from et_lite.codec import ElasticCodec
from et_lite.data import Crop
from et_lite.evaluation import Side, crops, differences, evaluate, spread, summary
from et_lite.intervals import interval, paired_interval
from et_lite.metrics import mel_distance, si_sdr, stft_distance
from et_lite.segments import kept_length
from et_lite.sweep import Model, load_models

RATE = sweep.RATE
FILES = ["evaluation.csv", "evaluation.json", "evaluation.parquet", "evaluation_pairs.csv"]


def run(models: list[Model], sounds: Sequence[Crop], folder: Path) -> pd.DataFrame:
    """Write all tables, and return the rows as they were measured, which Parquet rounds."""
    evaluate(models, sounds, folder / "cells", folder / "evaluation")
    return evaluation.sweep(models, sounds, folder / "cells", {})[0]


def one(rows: pd.DataFrame, **wanted: object) -> pd.Series:
    """The only row with these values."""
    for name, value in wanted.items():
        rows = rows[rows[name] == value]
    assert len(rows) == 1
    return rows.iloc[0]


@pytest.mark.parametrize(
    ("system", "solver"), [("et-greedy", "greedy"), ("et-greedy", "dp"), ("hnet-yoto", "routing")]
)
@pytest.mark.parametrize("keep", [0.7, 1.0])
def test_a_row_is_what_the_codec_and_the_metrics_give(
    trained, sounds, tmp_path, system, solver, keep
) -> None:
    stem = trained(system)
    more = ["dp"] if system == "et-greedy" else []
    rows = run(load_models([stem], [0.7, 1.0], more), sounds[:2], tmp_path)
    codec, crop = ElasticCodec.from_pretrained(stem), sounds[1]
    payload = codec.compress(crop.wave, RATE, keep, solver)
    rebuilt = codec.decompress(payload)
    row = one(rows, system=system, crop=crop.name, solver=solver, keep=keep)
    assert (row.frames, row.kept, row.reached) == (44, kept_length(44, keep), True)
    assert (row.model, row.seed, row.domain, row.unit) == (system, 0, "speech", "speech_2")
    assert row.side_bits == payload.side_information_bits
    assert row.mel_distance == mel_distance(rebuilt, crop.wave[None], RATE)
    assert row.stft_distance == stft_distance(rebuilt, crop.wave[None])
    assert row.si_sdr == si_sdr(rebuilt, crop.wave[None])
    analysis = codec.analyse(crop.wave, RATE, solver, keep=keep)
    anchors, lengths = torch.from_numpy(payload.anchors[0]), torch.from_numpy(payload.lengths[0])
    with torch.no_grad():
        inner = codec.method.unpack(anchors, lengths)
        assert row.inner_error == float((inner - analysis.latents[0]).square().mean())
        x = codec.latents(anchors, lengths)
    assert row.latent_error == float((x - analysis.outer).square().mean())
    assert row.inner_error == 0 or keep < 1 or system == "hnet-yoto"


def test_the_autoencoder_alone_is_a_row(trained, sounds, tmp_path, random_codec) -> None:
    rows = run(load_models([trained("et-greedy")], [0.8]), sounds[:1], tmp_path)
    row = one(rows, system="autoencoder")
    base, wave = random_codec.autoencoder, sounds[0].wave
    x = base.encode(torch.from_numpy(wave[None])).mean
    rebuilt = base.decode(x)[:, : len(wave)].numpy()
    assert row.mel_distance == mel_distance(rebuilt, wave[None], RATE)
    assert (row.keep, row.kept, row.frames, row.latent_error) == (1, 44, 44, 0)
    assert np.isnan(row.inner_error)
    stored = pd.read_parquet(tmp_path / "evaluation.parquet")
    assert list(stored.columns) == evaluation.COLUMNS
    np.testing.assert_allclose(stored.mel_distance, rows.mel_distance, rtol=1e-4)


def test_latents_alone_are_the_same_without_sound(trained, sounds, tmp_path) -> None:
    stem = trained("et-greedy")
    whole = run(load_models([stem], [0.8]), sounds, tmp_path / "a")
    errors = run(load_models([stem], [0.8], heard=False), sounds, tmp_path / "b")
    whole = whole[whole.system == "et-greedy"].reset_index(drop=True)
    same = ["crop", "kept", "side_bits", "inner_error", "latent_error"]
    pd.testing.assert_frame_equal(whole[same], errors[same])
    assert errors[list(sweep.SOUND_METRICS)].isna().all(axis=None)
    table = pd.read_csv(tmp_path / "b" / "evaluation.csv")
    assert set(table.metric) == {"inner_error", "latent_error", "side_bits", "seconds"}


def test_what_a_method_cannot_reach_is_marked(trained, sounds, tmp_path) -> None:
    systems = ("conv-downsample", "et-greedy", "et-dp")
    keeps = [0.02, 0.5, 0.75]
    rows = run(load_models([trained(s) for s in systems], keeps), sounds, tmp_path)
    reached = rows.groupby(["system", "keep"]).reached.all()
    assert not reached["conv-downsample", 0.75] and reached["conv-downsample", 0.5]
    assert not reached["et-greedy", 0.02] and reached["et-greedy", 0.75]
    assert reached["et-dp", 0.5] and not reached["et-dp", 0.02]  # below 1 of 13 frames
    missed = rows[~rows.reached]
    assert missed[list(evaluation.COMPARED)].isna().all(axis=None)
    assert (missed.kept != [kept_length(44, keep) for keep in missed.keep]).all()
    asked = rows[rows.reached]
    assert (asked.kept == [kept_length(44, keep) for keep in asked.keep]).all()
    assert asked[["mel_distance", "latent_error"]].notna().all(axis=None)
    table = summary(rows)
    half = table[(table.system == "conv-downsample") & (table.metric == "mel_distance")]
    assert (
        half[half.keep == 0.75]["mean"].isna().all()
        and (half[half.keep == 0.75].reached == 0).all()
    )
    assert half[half.keep == 0.5]["mean"].notna().all()


def test_an_interrupted_sweep_ends_with_the_same_files(
    trained, sounds, tmp_path, monkeypatch
) -> None:
    sounds = sounds[1:]
    monkeypatch.setattr(sweep.time, "perf_counter", lambda: 0.0)  # seconds are nobody's to repeat
    names = [trained("et-greedy"), trained("uniform-hold")]

    def models() -> list[Model]:
        return load_models(names, [0.6, 1.0], ["dp"])

    calls, real = [], evaluation.measure

    def counted(codec, encoded, listener, cells):
        calls.append([cell.name for cell in cells])
        if len(calls) == stop:
            raise KeyboardInterrupt
        return real(codec, encoded, listener, cells)

    monkeypatch.setattr(evaluation, "measure", counted)
    stop = 0
    run(models(), sounds, tmp_path / "straight")
    assert len(calls) == 2 * len(sounds)
    calls, stop = [], 4
    with pytest.raises(KeyboardInterrupt):
        run(models(), sounds, tmp_path / "broken")
    assert not list((tmp_path / "broken").glob("evaluation*"))
    calls, stop = [], 0
    run(models(), sounds, tmp_path / "broken")
    assert len(calls) == 2 * len(sounds) - 3
    for name in FILES:
        files = [tmp_path / folder / name for folder in ("straight", "broken")]
        assert files[0].read_bytes() == files[1].read_bytes(), name
    calls = []
    run(load_models(names, [0.6, 0.7, 1.0], ["dp"]), sounds, tmp_path / "broken")
    assert calls[:2] == [["greedy 0.7", "dp 0.7"], ["uniform 0.7"]]


def test_other_weights_or_code_are_measured_anew(trained, sounds, tmp_path, monkeypatch) -> None:
    stem = trained("et-greedy")
    first = run(load_models([stem], [0.7]), sounds[:1], tmp_path)
    trained("et-greedy", seed=5, name="et-greedy")
    second = run(load_models([stem], [0.7]), sounds[:1], tmp_path)
    assert one(first, solver="greedy").mel_distance != one(second, solver="greedy").mel_distance
    assert len(list((tmp_path / "cells").iterdir())) == 3  # two models and the autoencoder
    monkeypatch.setattr(evaluation, "code_hash", lambda root: code_hash(root)[::-1])
    run(load_models([stem], [0.7]), sounds[:1], tmp_path)
    assert len(list((tmp_path / "cells").iterdir())) == 5


def test_seeds_are_averaged_per_crop_before_anything_else(trained, sounds, tmp_path) -> None:
    names = [trained("et-greedy", seed) for seed in (0, 1, 2)] + [trained("uniform-hold")]
    rows = run(load_models(names, [0.8]), sounds, tmp_path)
    assert set(rows[rows.system == "et-greedy"].model) == {
        "et-greedy",
        "et-greedy.1",
        "et-greedy.2",
    }
    speech = rows[(rows.domain == "speech") & (rows.keep == 0.8)]
    mine = speech[speech.system == "et-greedy"].pivot(index="crop", columns="seed", values="si_sdr")
    other = speech[speech.system == "uniform-hold"].set_index("crop").si_sdr[mine.index]
    units = [crop.unit for crop in sorted(sounds, key=lambda c: c.name) if crop.domain == "speech"]
    table = pd.read_csv(tmp_path / "evaluation.csv")
    found = one(table, system="et-greedy", domain="speech", metric="si_sdr")
    assert (found.crops, found.units, found.seeds, found.reached) == (3, 2, 3, 1)
    expected = interval(mine.mean(axis=1), units)
    assert tuple(found[["mean", "low", "high"]]) == pytest.approx(tuple(expected), rel=1e-5)
    pairs = pd.read_csv(tmp_path / "evaluation_pairs.csv")
    found = one(pairs, first="et-greedy", second="uniform-hold", domain="speech", metric="si_sdr")
    expected = paired_interval(mine.mean(axis=1), other, units)
    assert tuple(found[["mean", "low", "high"]]) == pytest.approx(tuple(expected), rel=1e-5)
    assert "inner_error" not in set(pairs.metric)  # every model has inner latents of its own


def test_solvers_are_paired_on_the_same_weights(trained, sounds, tmp_path) -> None:
    models = load_models([trained("et-greedy"), trained("uniform-hold")], [0.9], ["dp", "uniform"])
    assert [cell.solver for cell in models[0].cells] == ["greedy", "dp", "uniform"]
    assert [cell.solver for cell in models[1].cells] == ["uniform"]
    rows = run(models, sounds, tmp_path)
    pairs = pd.read_csv(tmp_path / "evaluation_pairs.csv")
    mine = rows[rows.system == "et-greedy"].pivot(
        index=["crop", "domain"], columns="solver", values="inner_error"
    )
    gap = (mine["dp"] - mine["uniform"]).groupby("domain").mean()
    for domain in ("music", "speech", "effects"):
        found = one(
            pairs[pairs["first"] == "et-greedy"],
            first_solver="dp",
            second_solver="uniform",
            domain=domain,
            metric="inner_error",
        )
        assert found["mean"] == pytest.approx(gap[domain], rel=1e-5)
    assert {
        (r.first_solver, r.second_solver) for r in pairs.itertuples() if r.first == r.second
    } == {
        ("greedy", "uniform"),
        ("dp", "uniform"),
        ("greedy", "dp"),
    }


def test_no_difference_where_a_side_is_not_reached_and_none_of_singing() -> None:
    rows = [
        {
            **dict.fromkeys(evaluation.METRICS, value),
            **{"model": s, "system": s, "seed": 0, "solver": "x", "keep": 0.5, "kept": 1},
            **{"frames": 2, "crop": f"{domain}{n}", "unit": f"{n}", "domain": domain},
            "reached": (s, domain, n) != ("b", "music", 1),
        }
        for s, value in (("a", 1.0), ("b", 3.0))
        for domain in ("music", "speech", "vocal")
        for n in range(2)
    ]
    found = differences(pd.DataFrame(rows), [(Side("a", "x"), Side("b", "x"))])
    assert set(found.domain) == {"speech"} and set(found["mean"]) == {-2.0}
    table = summary(pd.DataFrame(rows))
    assert set(table.domain) == {"music", "speech", "vocal"}
    missed = table[(table.system == "b") & (table.domain == "music")]
    assert missed["mean"].isna().all() and set(missed.reached) == {0.5}


def test_names_of_seeds_are_told_from_names_of_systems(trained) -> None:
    paths = [trained("et-dp@0.5"), trained("et-dp@0.5", 1), trained("et-dp", 5, "deep.5")]
    models = load_models(paths, [1.0])
    assert [(m.system, m.seed) for m in models] == [("et-dp@0.5", 0), ("et-dp@0.5", 1), ("deep", 5)]


def test_one_autoencoder_serves_all_models() -> None:
    first, second = (ElasticCodec.from_pretrained(n).autoencoder for n in ("et-greedy", "et-dp"))
    assert first is not second
    models = load_models(["et-greedy", "et-dp"], [0.5])
    assert models[0].codec.autoencoder is models[1].codec.autoencoder


def test_limited_crops_are_spread_over_the_table() -> None:
    domains = {f"m{n}": "music" for n in range(10)} | {f"s{n}": "speech" for n in range(4)}
    assert spread(domains, 2) == {"m0", "m5", "s0", "s2"}
    assert spread(domains, 99) == spread(domains, None) == set(domains)


def test_quick_crops_are_those_that_ship() -> None:
    count, chosen = crops(None, 1)
    found = list(chosen)
    assert count == len(found) == 3
    assert [crop.domain for crop in found] == ["music", "speech", "effects"]
    assert crops(None)[0] == 24


def test_only_so_many_crops_of_a_corpus(monkeypatch, tmp_path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("crop,domain\n" + "".join(f"m{n},music\n" for n in range(10)))
    everything = [Crop(f"m{n}", "music", "u", np.zeros(1)) for n in range(10)]
    monkeypatch.setattr(evaluation, "TABLE", table)
    monkeypatch.setattr(evaluation, "evaluation_crops", lambda *_: iter(everything))
    count, chosen = crops(tmp_path, 2)
    assert (count, [crop.name for crop in chosen]) == (2, ["m0", "m5"])
    assert crops(tmp_path)[0] == len(list(crops(tmp_path)[1])) == 10


def test_the_command_writes_tables_and_a_card(
    trained, sounds, small_embedding, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(evaluation, "quick_crops", lambda: iter(sounds))
    everywhere = dict.fromkeys(("music", "speech", "effects"), small_embedding)
    monkeypatch.setattr(embeddings, "load_embeddings", lambda: everywhere)
    names = [trained("et-greedy"), trained("et-dp", 3), trained("uniform-hold")]
    command = ["evaluate", "--quick", "--models", *names, "--keep", "0.5", "0.8", "--crops", "1"]
    command += ["--run-dir", str(tmp_path / "run"), "-o", str(tmp_path / "out")]
    assert cli.main([*command, "--pair", "et-dp", "et-dp"]) == 0
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "evaluation_quick.csv",
        "evaluation_quick.json",
        "evaluation_quick.parquet",
        "evaluation_quick_fad.csv",
        "evaluation_quick_pairs.csv",
    ]
    card = json.loads((tmp_path / "out" / "evaluation_quick.json").read_text())
    assert card["command"] == (
        "et-lite evaluate --quick --models et-greedy et-dp.3 uniform-hold --keep 0.5 0.8 "
        "--pair et-dp et-dp --crops 1"
    )
    assert card["crops"] == {"effects": 1, "music": 1, "speech": 1}
    assert card["models"]["et-dp.3"]["system"] == "et-dp" and card["models"]["et-dp.3"]["seed"] == 3
    sha = json.loads(Path(f"{names[1]}.json").read_text())["sha256"]
    assert card["models"]["et-dp.3"]["sha256"] == sha
    assert card["fad"]["embeddings"]["music"] == {"name": "small", "sha256": "c" * 64}
    assert str(tmp_path) not in json.dumps(card)
    rows = pd.read_parquet(tmp_path / "out" / "evaluation_quick.parquet")
    assert list(rows.columns) == evaluation.COLUMNS
    assert len(rows) == 3 * (3 * 2 + 1)
    pairs = pd.read_csv(tmp_path / "out" / "evaluation_quick_pairs.csv")
    assert set(pairs[(pairs["first"] == "et-dp") & (pairs.second == "et-dp")]["mean"]) == {0.0}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--models", "nobody"], "model 'nobody' is not shipped"),
        (["--keep", "0"], "Kept fraction 0.0 is not in (0, 1]"),
        (["--keep", "0.5", "1.5"], "Kept fraction 1.5 is not in (0, 1]"),
        (["--keep", "half"], "invalid float value: 'half'"),
        (["--solver", "luck"], "solver 'luck' is not one of greedy, dp"),
        (["--crops", "0"], "'0' is not a whole number of at least 1"),
        (["--models", "TINY", "TINY"], "are both et-greedy with seed 0"),
        (["--models", "HOLD", "--solver", "dp"], "solver 'dp' is for none of these models"),
        (["--models", "TINY", "et-greedy"], "evaluate models of one autoencoder at a time"),
        (["--models", "TINY", "--pair", "et-greedy", "et-dp"], "system 'et-dp' is none of"),
        (["--corpus", "x"], "not allowed with"),
    ],
)
def test_bad_options_give_one_sentence(trained, tmp_path, capsys, options, sentence) -> None:
    known = {"TINY": trained("et-greedy"), "HOLD": trained("uniform-hold")}
    options = [known.get(option, option) for option in options]
    try:
        code = cli.main(["evaluate", "--quick", "--run-dir", str(tmp_path / "run"), *options])
    except SystemExit as error:
        code = error.code
    printed = capsys.readouterr()
    assert code == 2 and sentence in printed.err
    assert printed.out == "" and len(printed.err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_corpus_that_is_not_there_is_said(trained, tmp_path, capsys) -> None:
    options = ["--corpus", str(tmp_path / "none"), "--models", trained("et-greedy")]
    assert cli.main(["evaluate", *options, "--run-dir", str(tmp_path / "run")]) == 2
    assert "none" in capsys.readouterr().err
