"""FAD of a sweep: equal to what the codec and the distance give, resumable, seeds alone, paired."""

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest

from et_lite import cli, embeddings, evaluation, fad, sweep
from et_lite.codec import ElasticCodec
from et_lite.evaluation import evaluate
from et_lite.frechet import Reference, frechet_distance
from et_lite.sweep import RATE, Model, load_models, packed, unpacked

CELL = {"keep": 0.8, "domain": "speech"}


@pytest.fixture
def measured(sounds, small_embedding, tmp_path):
    """Evaluate models with FAD, and return its table."""

    def run(models: list[Model], name: str = "evaluation") -> pd.DataFrame:
        used = dict.fromkeys(("music", "speech", "effects"), small_embedding)
        evaluate(models, sounds, tmp_path / "cells", tmp_path / name, embeddings=used)
        return pd.read_csv(tmp_path / f"{name}_fad.csv")

    return run


def one(rows: pd.DataFrame, **wanted: object) -> pd.Series:
    """The only row with these values."""
    for name, value in wanted.items():
        rows = rows[rows[name] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def test_fad_is_that_of_the_codecs_sound(trained, sounds, small_embedding, measured) -> None:
    names = [trained("et-greedy", seed) for seed in (0, 1)]
    table = measured(load_models(names, [0.8, 1.0]))
    speech = sorted((c for c in sounds if c.domain == "speech"), key=lambda c: c.name)
    originals = [small_embedding(crop.wave, RATE) for crop in speech]
    reference = Reference(originals, [crop.unit for crop in speech])
    values, halves, draws = [], [], []
    for name in names:
        codec = ElasticCodec.from_pretrained(name)
        made = [codec.decompress(codec.compress(c.wave, RATE, 0.8)) for c in speech]
        rebuilt = [small_embedding(wave[0], RATE) for wave in made]
        values.append(frechet_distance(np.concatenate(rebuilt), np.concatenate(originals)))
        halves.append(reference.halves(rebuilt))
        draws.append(reference.resampled(rebuilt))
    row = one(table, system="et-greedy", **CELL)
    # Each seed by itself, then their mean: twice the clips would make another distance.
    assert row.fad == pytest.approx(np.mean(values), rel=2e-3)
    assert row.halves == pytest.approx(np.mean(halves), rel=2e-3)
    assert row.floor == pytest.approx(reference.floor, rel=2e-3)
    ends = fad.centred(np.mean(values), np.mean(draws, axis=0))
    assert (row.low, row.high) == pytest.approx((ends.low, ends.high), rel=5e-3)
    counts = {"crops": 3, "units": 2, "windows": 30, "seeds": 2, "reached": 1, "embedding": "small"}
    assert row[list(counts)].to_dict() == counts
    alone = one(table, system="autoencoder", domain="music")
    assert alone.fad > 0 and np.isnan([alone.low, alone.high, alone.floor]).all()  # of one clip


def test_differences_are_over_the_same_draws(trained, sounds, small_embedding, measured, tmp_path):
    names = [trained("et-greedy"), trained("uniform-hold")]
    models = load_models(names, [0.8])
    table = measured(models)
    pairs = pd.read_csv(tmp_path / "evaluation_pairs.csv")
    found = one(pairs, metric="fad", first="et-greedy", second="uniform-hold", domain="speech")
    both = [one(table, system=name, **CELL) for name in ("et-greedy", "uniform-hold")]
    assert found["mean"] == pytest.approx(both[0].fad - both[1].fad, rel=1e-4)
    rows, originals = evaluation.sweep(
        models, sounds, tmp_path / "cells", {"speech": small_embedding}
    )
    speech = rows[rows.domain == "speech"].sort_values("crop")
    crops = speech.drop_duplicates("crop")
    reference = Reference([unpacked(originals[c]) for c in crops.crop], list(crops.unit))
    draws = [
        reference.resampled([unpacked(text) for text in speech[speech.system == s].embeddings])
        for s in ("et-greedy", "uniform-hold")
    ]
    between = draws[0] - draws[1]
    ends = np.quantile(between, [0.025, 0.975]) - between.mean() + both[0].fad - both[1].fad
    assert (found.low, found.high) == pytest.approx(tuple(ends), rel=1e-3)
    assert set(pairs[pairs.metric == "fad"].domain) == {"music", "speech", "effects"}


def test_what_is_not_reached_has_no_fad(trained, measured, tmp_path) -> None:
    table = measured(load_models([trained("conv-downsample"), trained("uniform-hold")], [0.75]))
    missed = table[table.system == "conv-downsample"]
    assert len(missed) == 3 and (missed.reached == 0).all()
    assert missed[["fad", "low", "high", "halves"]].isna().all(axis=None)
    assert (missed.windows == [10, 10, 30]).all()
    pairs = pd.read_csv(tmp_path / "evaluation_pairs.csv")
    assert "fad" not in set(pairs.metric)


def test_embeddings_are_made_once(trained, measured, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sweep.time, "perf_counter", lambda: 0.0)  # seconds are nobody's to repeat
    names = [trained("et-greedy"), trained("uniform-hold")]
    measured(load_models(names, [0.6, 0.8]))
    calls, real = [], sweep.Listener.embed

    def counted(listener, wave):
        calls.append(wave)
        return real(listener, wave)

    monkeypatch.setattr(sweep.Listener, "embed", counted)
    compared, compare = [], fad._compare

    def also_counted(reference, texts):
        compared.append(texts)
        return compare(reference, texts)

    monkeypatch.setattr(fad, "_compare", also_counted)
    measured(load_models(names, [0.6, 0.8]), "again")
    assert calls == [] == compared
    for suffix in ("_fad.csv", "_pairs.csv", ".csv", ".parquet"):
        files = [tmp_path / f"{name}{suffix}" for name in ("evaluation", "again")]
        assert files[0].read_bytes() == files[1].read_bytes(), suffix
    measured(load_models(names, [0.6, 0.7, 0.8]), "again")
    assert len(calls) == 2 * 5 and len(compared) == 2 * 3


def test_what_a_model_makes_is_judged_as_the_original_is(sounds, small_embedding) -> None:
    listener = sweep.Listener(sounds[0].wave, small_embedding)
    row = listener(sounds[0].wave[None])
    assert row["embeddings"] == listener.embed(sounds[0].wave[None])
    assert row["mel_distance"] == row["stft_distance"] == 0
    assert set(sweep.Listener(sounds[0].wave)(sounds[0].wave[None])) == set(sweep.SOUND_METRICS)
    rows = np.random.default_rng(0).normal(size=(7, 5))
    assert unpacked(packed(rows)).shape == (7, 5)
    np.testing.assert_array_equal(unpacked(packed(rows)), rows.astype(np.float16))


def test_a_failure_beside_is_not_lost(trained, sounds, small_embedding) -> None:
    def broken(rebuilt):
        raise ValueError("heard nothing")

    model = load_models([trained("et-greedy")], [0.8])[0]
    encoded = sweep.encode(model.codec.autoencoder, sounds[0].wave)
    listener = sweep.Listener(sounds[0].wave, small_embedding)
    object.__setattr__(listener, "embedding", lambda wave, rate: broken(wave))
    with pytest.raises(ValueError, match="heard nothing"):
        sweep.measure(model.codec, encoded, listener, model.cells)


def test_missing_weights_are_said_before_anything_is_measured(
    trained, tmp_path, capsys, monkeypatch
) -> None:
    nowhere = partial(embeddings.load_embeddings, tmp_path / "none")
    monkeypatch.setattr(embeddings, "load_embeddings", nowhere)
    run = ["--models", trained("et-greedy"), "--run-dir", str(tmp_path / "run")]
    assert cli.main(["evaluate", "--quick", *run]) == 2
    assert "run make embeddings, or evaluate with --no-fad" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_without_fad_no_embeddings_are_needed(trained, sounds, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(evaluation, "quick_crops", lambda: iter(sounds))
    run = ["--models", trained("et-greedy"), "--keep", "0.8", "--run-dir", str(tmp_path / "run")]
    assert cli.main(["evaluate", "--quick", "--no-fad", *run]) == 0
    made = sorted(file.name for file in (tmp_path / "run").glob("evaluation*"))
    assert made == [f"evaluation_quick{s}" for s in (".csv", ".json", ".parquet", "_pairs.csv")]
    card = json.loads((tmp_path / "run" / "evaluation_quick.json").read_text())
    assert card["fad"] is None and card["command"].endswith(" --no-fad")
