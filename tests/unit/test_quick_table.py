"""The stored quick table comes out again (issue: within 0.05 dB, the rest within a thousandth)."""

import numpy as np
import pandas as pd
import pytest

from et_lite.config import SYSTEMS
from et_lite.evaluation import crops, sweep
from et_lite.storage import ASSETS
from et_lite.sweep import KEEPS, LATENT_METRICS, load_models

STORED = ASSETS / "results" / "evaluation_quick.parquet"
KEY = ["model", "solver", "keep", "crop"]


@pytest.fixture(scope="module")
def stored() -> pd.DataFrame:
    return pd.read_parquet(STORED).set_index(KEY)


def test_every_system_and_fraction_is_there(stored) -> None:
    names = stored.index.get_level_values
    assert set(names("model")) == {*SYSTEMS, "spectral-vae"} and len(set(names("crop"))) == 24
    assert set(names("keep")) == set(KEEPS)
    reached = stored[stored.reached]
    asked = np.ceil(np.round(reached.frames * reached.index.get_level_values("keep"), 9))
    assert (reached.kept == asked.clip(lower=1)).all()
    assert stored[~stored.reached].mel_distance.isna().all()


def test_quick_rows_come_out_again(stored, tmp_path) -> None:
    """One crop a domain; `et-lite evaluate --quick` makes the whole table."""
    models = load_models(["et-greedy", "et-dp", "codecslime"], [0.5, 0.75])
    rows, _ = sweep(models, crops(None, 1)[1], tmp_path, {})
    found = rows.set_index(KEY)
    wanted = stored.loc[found.index]
    assert len(found) == 3 * (3 * 2 + 1)
    assert (found.kept == wanted.kept).all()
    assert (found.si_sdr - wanted.si_sdr).abs().max() < 0.05
    for metric in ("mel_distance", "stft_distance", "side_bits", *LATENT_METRICS):
        ours, theirs = found[metric].dropna(), wanted[metric].dropna()
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-9)
