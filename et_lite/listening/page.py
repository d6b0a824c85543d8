"""The listening widget's HTML: beside its files in the book, or whole in a notebook's output."""

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from et_lite.listening.plain import flac
from et_lite.listening.rendering import FALLBACK, Rendering, picture_of
from et_lite.plotting.markup import Markup

SCRIPT = Path(__file__).with_name("listening.js")
WORDS = {
    "original": "original",
    "ceiling": "the autoencoder alone",
    "elastic": "Elastic Time, {kept} of {frames} frames kept",
    "uniform": "evenly spaced, {kept} of {frames} frames kept",
}


def external(cards: Sequence[dict[str, Any]], base: str) -> str:
    """A widget over clips whose files `Rendering.write` put under the address `base`.

    The page loads `listening.js` by itself. Without scripts it shows plain players.
    """
    players = [
        _player(card, version, f"{base}{card['key']}/{version['name']}.flac")
        for card in cards
        for version in card["versions"]
        if version["name"] in FALLBACK
    ]
    return _host(cards, players, f' data-base="{html.escape(base)}"')


def embedded(*renderings: Rendering) -> Markup:
    """A widget with all its sounds and its script inside, for the output of a cell."""
    cards, players = [], []
    for rendering in renderings:
        card = rendering.card()
        cards.append(card)
        for version in rendering.versions:
            data = base64.b64encode(flac(version.wave, rendering.rate)).decode()
            more = f' data-picture="{picture_of(rendering, version)}"'
            source = f"data:audio/flac;base64,{data}"
            players.append(_player(card, version.facts(), source, more))
    return Markup(f"{_host(cards, players, '')}{script()}")


def script() -> str:
    """The widgets' script as an element, for what must work alone; twice in a page does no harm."""
    text = SCRIPT.read_text(encoding="utf-8").replace("</", "<\\/")
    return f"<script>{text}</script>"


def _host(cards: Sequence[dict[str, Any]], players: list[str], more: str) -> str:
    told = json.dumps(cards, separators=(",", ":")).replace("</", "<\\/")
    credits = "".join(f"<p>{card['credit']}</p>" for card in cards)
    return (
        f'<div class="et-listening"{more}>{"".join(players)}{credits}'
        f'<script type="application/json">{told}</script></div>'
    )


def _player(card: dict[str, Any], version: dict[str, Any], source: str, more: str = "") -> str:
    """A plain player, which loads nothing until it is asked to."""
    words = WORDS[version["kind"]].format(kept=version["kept"], frames=card["frames"])
    label = html.escape(f"{card['title']}: {words}")
    key = html.escape(f"{card['key']}/{version['name']}")
    return (
        f'<p><span>{label}</span><br><audio controls preload="none" data-key="{key}" '
        f'aria-label="{label}" src="{source}"{more}></audio></p>'
    )
