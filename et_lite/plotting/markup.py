"""HTML as the value of a notebook's cell, and figures in it."""

import base64
import html
from dataclasses import dataclass

from matplotlib.figure import Figure

from et_lite.plotting.axes import png


@dataclass(frozen=True)
class Markup:
    """HTML that a notebook shows when it ends a cell."""

    text: str

    def _repr_html_(self) -> str:
        return self.text


def image(figure: Figure, alt: str) -> str:
    """A figure inside a page: no file is left, and it has words for who cannot see it."""
    data = base64.b64encode(png(figure)).decode()
    return (
        f'<img alt="{html.escape(alt)}" style="max-width:100%" src="data:image/png;base64,{data}">'
    )
