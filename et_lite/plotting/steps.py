"""Greedy selection as a picture that moves: one step at a time, without a kernel or a network."""

import html
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from et_lite.plotting.axes import COLOURS
from et_lite.plotting.markup import Markup
from et_lite.segments import Segmentation

# In units of the picture, which shrinks to the width of the page.
LEFT, COLUMN, TOP, PLOT, ROWS = 96, 48, 24, 150, (204, 236, 268)


def greedy_steps(values: Sequence[float], steps: Iterable[tuple[NDArray, int]]) -> Markup:
    """An animation of frames of one number (T,) that greedy drops, each guessed as its anchor.

    `steps` are the cost of dropping each frame (T,), infinite where it may not go, and the frame
    that goes. Buttons and a slider move through them; a page that runs no script shows them all,
    one below the other. Nothing moves for readers who asked for that (book: chunking).
    """
    told = list(steps)
    offsets, shown, total = np.zeros(len(values), dtype=int), [], 0.0
    for place, (costs, dropped) in enumerate(told):
        offsets[dropped] = offsets[dropped - 1] + 1
        total += float(costs[dropped])
        after = told[place + 1][0] if place + 1 < len(told) else None
        text = _sentence(values, offsets, costs, dropped, after)
        shown.append(_step(values, offsets, costs, dropped, f"Step {place + 1}. {text}"))
    strip = Segmentation.from_offsets(offsets)
    end = (
        f"{strip.kept} of {len(values)} frames are left, in segments of "
        f"{', '.join(map(str, strip.lengths))}. Together the dropped ones cost {total:g}."
    )
    shown.append(_step(values, offsets, None, None, end))
    return Markup(
        f'<div class="greedy-steps"><style>{STYLE}</style><ol>{"".join(shown)}</ol>'
        f'<div class="bar" hidden><button type="button" data-by="-1">Back</button>'
        f'<button type="button" data-by="1">Next</button>'
        f'<button type="button" data-play>Play</button>'
        f'<input type="range" min="0" max="{len(shown) - 1}" value="0" aria-label="Step"></div>'
        f'<p class="told" aria-live="polite" hidden></p><script>{SCRIPT}</script></div>'
    )


def _sentence(
    values: Sequence[float],
    offsets: NDArray,
    costs: NDArray,
    dropped: int,
    after: NDArray | None,
) -> str:
    """What happens in a step, and what it changes for the frames beside."""
    anchor = dropped - int(offsets[dropped])
    said = (
        f"Frame {dropped} is the cheapest, at {costs[dropped]:g}: it is {values[dropped]:g}, and "
        f"frame {anchor} guesses {values[anchor]:g}."
    )
    if np.isfinite(costs[dropped - 1]):
        said += f" Frame {anchor} is used now, and frozen."
    follower = dropped + 1
    if after is None or follower == len(values) or not np.isfinite(costs[follower]):
        return said
    if np.isfinite(after[follower]):
        return (
            f"{said} Frame {follower} would be guessed from frame {anchor} too: "
            f"{costs[follower]:g} becomes {after[follower]:g}."
        )
    return f"{said} The segment is full, so frame {follower} stays."


def _step(
    values: Sequence[float],
    offsets: NDArray,
    costs: NDArray | None,
    dropped: int | None,
    text: str,
) -> str:
    """One step as a list item: its picture, and a caption that says the same."""
    low, high = min(values), max(values)

    def up(value: float) -> float:
        return TOP + PLOT * (high - value) / max(high - low, 1e-9)

    parts = [
        f'<text x="{LEFT - 30}" y="{y}" text-anchor="end">{word}</text>'
        for y, word in zip(ROWS, ("frame", "value", "cost"), strict=True)
    ]
    for t, value in enumerate(values):
        x, guess = LEFT + COLUMN * t, values[t - int(offsets[t])]
        cost = "x" if offsets[t] and t != dropped else _cost(costs, t)
        label = [str(t), f"{value:g}", cost if costs is not None else ""]
        if t == dropped:
            parts.append(
                f'<rect class="box" x="{x - 22}" y="{ROWS[2] - 21}" width="44" height="29"/>'
            )
        parts += [
            f'<text x="{x}" y="{y}">{word}</text>' for y, word in zip(ROWS, label, strict=True)
        ]
        if not offsets[t]:
            parts.append(f'<circle class="kept" cx="{x}" cy="{up(value):.1f}" r="9"/>')
            continue
        moves = f' style="--from:{up(value) - up(guess):.1f}px"' if t == dropped else ""
        now = "now" if t == dropped else ""
        reach = x - COLUMN * int(offsets[t])
        parts += [
            f'<path class="reach" d="M{reach} {up(guess):.1f}H{x}"/>',
            f'<path class="miss {now}" d="M{x} {up(value):.1f}V{up(guess):.1f}"/>',
            f'<circle class="true" cx="{x}" cy="{up(value):.1f}" r="4"/>',
            f'<circle class="guess {now}" cx="{x}" cy="{up(guess):.1f}" r="9"{moves}/>',
        ]
    width = LEFT + COLUMN * len(values)
    return (
        f'<li><svg viewBox="0 0 {width} 284" role="img" aria-label="{html.escape(text)}">'
        f"{''.join(parts)}</svg><p>{html.escape(text)}</p></li>"
    )


def _cost(costs: NDArray | None, frame: int) -> str:
    return f"{costs[frame]:g}" if costs is not None and np.isfinite(costs[frame]) else "-"


STYLE = f"""
.greedy-steps {{max-width:44em;padding:.6em;background:#fff;color:#222;border-radius:.4em}}
.greedy-steps ol {{list-style:none;margin:0;padding:0}}
.greedy-steps svg {{width:100%;font:20px sans-serif;text-anchor:middle}}
.greedy-steps text {{fill:#222}}
.greedy-steps .kept {{fill:{COLOURS[0]}}}
.greedy-steps .guess {{fill:#fff;stroke:{COLOURS[0]};stroke-width:3}}
.greedy-steps .true {{fill:{COLOURS[1]}}}
.greedy-steps .reach {{stroke:{COLOURS[0]};stroke-dasharray:4 4}}
.greedy-steps .miss {{stroke:{COLOURS[1]};stroke-width:3}}
.greedy-steps .box {{fill:none;stroke:{COLOURS[1]};stroke-width:3}}
.greedy-steps p {{margin:.3em 0;min-height:4.5em}}
.greedy-steps .bar {{display:flex;flex-wrap:wrap;gap:.5em;align-items:center}}
.greedy-steps [hidden] {{display:none}}
.greedy-steps button {{font:inherit;color:#222;background:#eee;border:1px solid #666;
  border-radius:.3em;padding:.3em .8em;min-height:2.2em}}
.greedy-steps button:disabled {{color:#666}}
.greedy-steps input {{flex:1 1 8em;min-height:2.2em}}
.greedy-steps .guess.now {{animation:greedy-fall 1s ease-in-out both}}
.greedy-steps .miss.now {{animation:greedy-show 1s ease-in both}}
@keyframes greedy-fall {{from {{transform:translateY(var(--from))}} to {{transform:none}}}}
@keyframes greedy-show {{from {{opacity:0}} to {{opacity:1}}}}
@media (prefers-reduced-motion:reduce) {{.greedy-steps * {{animation:none !important}}}}
"""
# A classic script: browsers refuse modules to a page opened from a folder.
SCRIPT = """
(function (root) {
  var items = root.querySelectorAll("li"), bar = root.querySelector(".bar");
  var slider = root.querySelector("input"), told = root.querySelector(".told");
  var play = root.querySelector("[data-play]"), moves = root.querySelectorAll("[data-by]");
  var last = items.length - 1, clock = null;
  function stop() {
    clearInterval(clock);
    clock = null;
    play.textContent = "Play";
  }
  function show(step) {
    items.forEach(function (item, place) { item.hidden = place !== step; });
    var text = items[step].querySelector("p").textContent;
    slider.value = step;
    slider.setAttribute("aria-valuetext", step < last ? "step " + (step + 1) : "the end");
    told.textContent = text;
    moves.forEach(function (move) { move.disabled = step === (move.dataset.by < 0 ? 0 : last); });
    if (step === last) stop();
  }
  moves.forEach(function (move) {
    move.onclick = function () { stop(); show(+slider.value + +move.dataset.by); };
  });
  slider.oninput = function () { stop(); show(+slider.value); };
  play.onclick = function () {
    if (clock) return stop();
    play.textContent = "Pause";
    clock = setInterval(function () { show(+slider.value + 1); }, 3000);
    show(+slider.value === last ? 0 : +slider.value + 1);
  };
  items.forEach(function (item) { item.querySelector("p").hidden = true; });
  bar.hidden = told.hidden = false;
  show(0);
})(document.currentScript.parentElement);
"""
