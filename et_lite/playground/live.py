"""The playground with a kernel behind it: any cap, any fraction, and the sound of each.

Controls of ipywidgets alone, in forms that versions 7 and 8 share.
"""

import html
from typing import Any

import ipywidgets as widgets

from et_lite import listening, plotting
from et_lite.playground.states import State, Table
from et_lite.segments import kept_length
from et_lite.solvers import SOLVERS


def controls(table: Table, solver: str = "agglomerative", keep: float = 0.5) -> widgets.VBox:
    """Solver, segment cap and kept fraction, and under them what is kept and what it costs.

    The children are the three controls, the words, the picture, the button and the player
    (book: sweep).
    """
    most = table.costs.shape[1]
    # Asked when a handle is let go: pictures on the way would only queue up.
    calm = {"continuous_update": False}
    choice = widgets.Dropdown(options=SOLVERS, value=solver, description="solver")
    cap = widgets.IntSlider(value=most, min=1, max=most, description="cap K", **calm)
    fraction = widgets.FloatSlider(
        value=keep, min=0.05, max=1, step=0.01, description="keep", **calm
    )
    told, picture, player = widgets.HTML(), widgets.HTML(), widgets.HTML()
    button = widgets.Button(description="Hear it")

    def state() -> State:
        return table.at(choice.value, cap.value, kept_length(table.frames, fraction.value))

    def update(_: Any = None) -> None:
        found = state()
        told.value, player.value = html.escape(found.told), ""
        picture.value = _picture(table, found)

    def hear(_: Any = None) -> None:
        found = state()
        name = f"{found.solver}, {found.chosen.segmentation.kept} frames"
        player.value = listening.players({name: table.heard(found)}, table.rate).text

    for control in (choice, cap, fraction):
        control.observe(update, "value")
    button.on_click(hear)
    update()
    return widgets.VBox([choice, cap, fraction, told, picture, button, player])


def _picture(table: Table, state: State) -> str:
    """Which frames are kept, above those of the least cost, as an image with words."""
    strips = {
        state.solver: state.chosen.segmentation,
        "least cost": state.least.segmentation,
    }
    figure = plotting.boundaries_over(table.wave, table.rate, strips, table.codec.latent_rate)
    return plotting.image(figure, f"Spectrogram over two strips of kept frames. {state.told}")
