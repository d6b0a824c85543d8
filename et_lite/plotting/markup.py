"""HTML as the value of a notebook's cell."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Markup:
    """HTML that a notebook shows when it ends a cell."""

    text: str

    def _repr_html_(self) -> str:
        return self.text
