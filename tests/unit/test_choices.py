"""The table of scripts/choices.py: what it says is what the solvers did."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from et_lite.data import Crop
from et_lite.moments import MOMENTS
from et_lite.solvers import solve

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import choices


def rows_of(found: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    keys = list(wanted)
    return found[(found[keys] == list(wanted.values())).all(axis=1)]


@pytest.fixture
def measured(trained, sounds, tmp_path):
    """The written table and card of two tiny models; measures again when called again."""

    def run(crops: list[Crop] = sounds) -> tuple[pd.DataFrame, dict]:
        codecs = choices.load([trained("et-greedy"), trained("et-dp")])
        choices.run(codecs, crops, tmp_path / "run", tmp_path / "choices", {"command": "c"})
        card = json.loads((tmp_path / "choices.json").read_text())
        return pd.read_csv(tmp_path / "choices.csv", keep_default_na=False, na_values=[""]), card

    return run


def test_every_solver_has_a_row_for_every_fraction_and_the_exact_one_no_excess(measured) -> None:
    found, card = measured()
    assert card["command"] == "c" and set(card["models"]) == {"et-greedy", "et-dp"}
    assert card["crops"] == {"music": 1, "speech": 3, "effects": 1}
    excess = rows_of(found, measure="excess")
    assert len(excess) == 2 * 3 * len(choices.DROPPING) * 3  # models, solvers, domains
    best = excess[excess.solver == "dp"]
    assert (best[best.reached == 1]["mean"] == 0).all() and (best.keep >= 0.2).all()
    others = excess[(excess.solver != "dp") & (excess.reached == 1)]
    assert (others["mean"] >= 0).all() and (others["mean"] > 0).any()
    assert excess[excess.reached < 1]["mean"].isna().all()
    speech = rows_of(excess, domain="speech", solver="dp", keep=0.5)
    assert (speech.crops == 3).all() and (speech.units == 2).all()


def test_segments_and_moments_are_shares(measured) -> None:
    found, _ = measured()
    cells = ["system", "solver", "keep", "domain"]
    segments = rows_of(found, measure="segments").groupby(cells)["mean"].sum()
    assert len(segments) and np.allclose(segments, 1, atol=1e-3)
    half = rows_of(found, measure="segments", keep=0.5, solver="dp", system="et-dp", domain="music")
    lengths = half["bin"].astype(int) * half["mean"]
    assert lengths.sum() == pytest.approx(2, rel=0.03)  # frames a segment
    common = rows_of(found, measure="moments")
    assert list(common["bin"].unique()) == list(MOMENTS) and common.system.isna().all()
    assert np.allclose(common.groupby("domain")["mean"].sum(), 1, atol=1e-3)
    # Frames that are kept of all moments together are those that were asked for.
    music = rows_of(found, measure="kept", keep=0.5, solver="dp", system="et-dp", domain="music")
    share = rows_of(common, domain="music").set_index("bin")["mean"]
    together = (music.set_index("bin")["mean"].fillna(0) * share).sum()
    assert together == pytest.approx(0.5, abs=0.02)


def test_floors_are_those_of_the_solvers(measured) -> None:
    found, _ = measured()
    for solver in choices.SOLVERS:
        mine = rows_of(found, solver=solver, system="et-greedy", domain="music")
        floor = rows_of(mine, measure="floor")["mean"].item()
        reach = rows_of(mine, measure="floor at most")
        assert ((reach["bin"].astype(float) >= floor) == (reach["mean"] == 1)).all()
    exact = rows_of(found, solver="dp", measure="floor")["mean"]
    greedy = rows_of(found, solver="greedy", measure="floor")["mean"]
    assert (exact < 0.12).all() and (greedy > 0.2).all() and (greedy <= 0.52).all()


def test_a_run_goes_on_where_it_was(measured, sounds, monkeypatch) -> None:
    measured(sounds[:2])
    done: list[str] = []
    fresh = choices.measure

    def counted(codec, encoded, wave):
        done.append(codec.name)
        return fresh(codec, encoded, wave)

    monkeypatch.setattr(choices, "measure", counted)
    whole, _ = measured()
    assert len(done) == 2 * (len(sounds) - 2)
    again, _ = measured()
    assert len(done) == 2 * (len(sounds) - 2)
    pd.testing.assert_frame_equal(whole, again)


def test_values_by_hand() -> None:
    assert choices.excess(3.0, 2.0) == 0.5 and choices.excess(0.0, 0.0) == 0
    offsets, what = np.array([0, 1, 2, 0]), np.array([3, 3, 1, 1])
    assert choices.kept_shares(offsets, what) == [None, 0.5, None, 0.5]
    costs = np.array([[1.0, 9], [4, 9], [1, np.inf], [np.inf, np.inf]])
    best = solve("dp", costs)
    half = choices.choice(solve("greedy", costs), best, 0.5, what)
    assert half and half["excess"] == 0 and half["segments"] == [0, 1]
    assert half["kept"] == [None, 0.5, None, 0.5]
    assert choices.choice(solve("greedy", costs), best, 0.25, what) is None


def test_other_methods_are_refused(trained) -> None:
    with pytest.raises(ValueError, match="uniform-hold has no predictor"):
        choices.load([trained("uniform-hold")])
