"""Sound in a page: players, recorded sliders, and the kept-fraction listening widget."""

from et_lite.listening.credits import credit
from et_lite.listening.page import embedded, external
from et_lite.listening.plain import Stop, players, recorded_stops
from et_lite.listening.rendering import KEEPS, Rendering, Version, render

__all__ = [
    "KEEPS",
    "Rendering",
    "Stop",
    "Version",
    "credit",
    "embedded",
    "external",
    "players",
    "recorded_stops",
    "render",
]
