"""Tables of many measured rows as small files (book: evaluation)."""

from pathlib import Path

import numpy as np
import pandas as pd

BITS = 14  # of a measured number: a part in 16 000, finer than two machines may agree


def write_rows(rows: pd.DataFrame, file: Path) -> None:
    """Write Parquet, a quarter as large as pandas alone makes it.

    Floating-point columns are rounded to `BITS` and stored byte by byte, but `keep`, which rows are
    found by, stays as it is.
    """
    measured = [name for name in rows.select_dtypes("float64") if name != "keep"]
    mantissas, exponents = np.frexp(rows[measured].to_numpy())
    rounded = np.ldexp(np.round(np.ldexp(mantissas, BITS)), exponents - BITS)
    small = rows.assign(**dict(zip(measured, rounded.T.astype(np.float32), strict=True)))
    others = [name for name in rows.columns if name not in measured]
    small.to_parquet(
        file,
        index=False,
        compression="zstd",
        use_dictionary=others,
        use_byte_stream_split=measured,
    )
