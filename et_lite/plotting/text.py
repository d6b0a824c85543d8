"""Numbers and choices as plain text."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from et_lite.segments import Segmentation


def table(heads: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Rows of words and numbers as text under `heads`: the first column left, the others right."""
    cells = [[str(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        row[0].ljust(widths[0])
        + "".join(cell.rjust(width + 2) for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in cells
    )


def cost_table(costs: NDArray, values: Sequence[object] | None = None, first: int = 0) -> str:
    """Step costs e[a, l], (T, L), as text: a row an anchor, a column a number of steps.

    `values` (T,) may stand beside the frames, which count from `first`. Entries past the end of
    the clip stay blank (book: chunking).
    """
    named = values is not None
    heads = ["a", *(["value"] if named else []), *(f"l = {i + 1}" for i in range(costs.shape[1]))]
    rows = []
    for place, row in enumerate(costs):
        told = [first + place, *([values[place]] if values is not None else [])]
        rows.append([*told, *(f"{cost:.3g}" if np.isfinite(cost) else "" for cost in row)])
    return table(heads, rows)


def strip(segmentation: Segmentation) -> str:
    """A segmentation as a row of T characters: ● a kept frame, · a predicted one."""
    return "".join("·" if offset else "●" for offset in segmentation.offsets)
