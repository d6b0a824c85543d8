"""The playground for a page without a kernel: every state, recorded, and the script that plays it.

Each path is there at every kept length that it reaches. A nested one is its order of removal, even
spacing is a rule, and of the exact ones each choice is written as bits, one a frame.
"""

import base64
import html
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from et_lite import plotting
from et_lite.listening.page import script
from et_lite.playground.states import CAPS, EXACT, Table
from et_lite.plotting.markup import Markup
from et_lite.segments import kept_length
from et_lite.solvers import SOLVERS
from et_lite.solvers.baselines import UniformPath
from et_lite.solvers.selection import RemovalOrder, SelectionPath

SHOWN = (0.9, 0.75, 0.6, 0.5, 0.4, 0.3, 0.2)  # kept fractions that a page without scripts tells of


def recorded(
    table: Table, title: str, caps: Sequence[int] = CAPS, solvers: Sequence[str] = SOLVERS
) -> Markup:
    """The playground of a clip with all its states in the page; it needs no kernel (book: sweep).

    Without scripts it is a table of costs. ValueError as in `Table.path`.
    """
    largest = max(caps)
    paths = {cap: {name: table.path(name, cap) for name in solvers} for cap in caps}
    picture, _ = plotting.bare_spectrogram(table.wave, table.rate)
    told = {
        "title": title,
        "frames": table.frames,
        "latent_rate": table.codec.latent_rate,
        "low": paths[largest][EXACT].floor,
        "cap": largest,
        "solver": "agglomerative",
        "paths": {
            cap: {name: _states(path, table.frames) for name, path in row.items()}
            for cap, row in paths.items()
        },
        "picture": base64.b64encode(picture).decode(),
    }
    data = json.dumps(told, separators=(",", ":")).replace("</", "<\\/")
    return Markup(
        f'<div class="et-playground">{_plain(paths[largest], table.frames, title)}'
        f'<script type="application/json">{data}</script></div>{script()}'
    )


def _states(path: SelectionPath, frames: int) -> dict[str, Any]:
    """A path's costs from its floor to T, and what it keeps at each of these lengths."""
    lengths = range(path.floor, frames + 1)
    costs = [round(path.at(kept).cost, 4) for kept in lengths]
    if isinstance(path, RemovalOrder):
        return {"costs": costs, "order": path.order.tolist()}
    if isinstance(path, UniformPath):
        return {"costs": costs}
    bits = [np.packbits(path.at(kept).segmentation.offsets == 0).tobytes() for kept in lengths]
    return {"costs": costs, "cuts": [base64.b64encode(row).decode() for row in bits]}


def _plain(paths: dict[str, SelectionPath], frames: int, title: str) -> str:
    """The costs at some kept fractions as an HTML table."""
    heads = "".join(f'<th scope="col">{keep:g}</th>' for keep in SHOWN)
    rows = []
    for name, path in paths.items():
        found = [path.at(kept_length(frames, keep)) for keep in SHOWN]
        cells = "".join(f"<td>{f'{s.cost:.2f}' if s.reached else '–'}</td>" for s in found)
        rows.append(f'<tr><th scope="row">{name}</th>{cells}</tr>')
    caption = f"{html.escape(title)}: cost by solver and kept fraction; – is out of its reach"
    return (
        f"<table><caption>{caption}</caption><thead><tr><td></td>{heads}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
