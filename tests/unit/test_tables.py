"""Measured rows survive being made small."""

import numpy as np
import pandas as pd

from et_lite.tables import BITS, write_rows


def test_rows_come_back_to_their_precision_and_are_smaller(tmp_path) -> None:
    dice = np.random.default_rng(0)
    values = dice.normal(size=5000) * 10.0 ** dice.integers(-6, 3, 5000)
    values[:2] = 0, np.nan
    names = [f"speech_{i % 100:03d}" for i in range(5000)]
    columns = {"crop": names, "keep": 0.6, "kept": 130, "reached": True, "error": values}
    rows, file = pd.DataFrame(columns), tmp_path / "rows.parquet"
    write_rows(rows, file)
    found = pd.read_parquet(file)
    pd.testing.assert_frame_equal(found.drop(columns="error"), rows.drop(columns="error"))
    np.testing.assert_allclose(found["error"], values, rtol=2.0**-BITS)
    rows.to_parquet(tmp_path / "plain.parquet")
    assert file.stat().st_size < 0.5 * (tmp_path / "plain.parquet").stat().st_size
