// The solver playground, recorded: each control's stop picks a state that Python solved at build.
// A path has a cost for every kept length from its floor to T (et_lite/playground/recorded.py).
import { clamp } from "./maths.js";
import { CURVE } from "./playground_view.js";
import { drawStrip } from "./draw.js";
import { offsetsOfBits, offsetsOfOrder, offsetsOfUniform } from "./selection.js";

/** The smallest kept length of a path. */
export const floorOf = (path, frames) => frames + 1 - path.costs.length;

/** Offsets and cost at `kept` frames; below the floor, those at the floor. */
export function stateAt(path, frames, kept) {
  const floor = floorOf(path, frames);
  const reached = Math.max(kept, floor);
  const place = reached - floor;
  return { kept: reached, offsets: offsetsAt(path, frames, reached, place), cost: path.costs[place] };
}

/** A path has an order of removal, or each choice as bits; without either it spaces frames evenly. */
function offsetsAt({ order, cuts }, frames, kept, place) {
  if (order) return offsetsOfOrder(order, frames, kept);
  return cuts ? offsetsOfBits(cuts[place], frames) : offsetsOfUniform(frames, kept);
}

/** A state in words, as et_lite/playground/states.py has them. */
export function wordsOf(state, least, asked, frames, solver) {
  const gap = least.cost > 0 ? state.cost / least.cost - 1 : 0;
  const longest = Math.max(...state.offsets) + 1;
  const missed = asked < state.kept ? ` Asked for ${asked}: ${solver} ends here.` : "";
  return (
    `${state.kept} of ${frames} frames kept (${(state.kept / frames).toFixed(3)}), the longest ` +
    `segment ${longest}. Cost ${state.cost.toFixed(2)}, ${(100 * gap).toFixed(1)} % above the least.${missed}`
  );
}

/** Bring the playground's controls to life. */
export function playground(root, states) {
  const { frames, latent_rate: rate, paths } = states;
  const find = (selector) => root.querySelector(selector);
  const say = (name, text) => (find(`[data-show=${name}]`).textContent = text);
  const [solver, cap, slider] = ["#solver", "#cap", "#keep"].map(find);

  function update() {
    const asked = Number(slider.value);
    const row = paths[cap.value];
    const state = stateAt(row[solver.value], frames, asked);
    const least = stateAt(row.dp, frames, state.kept);
    const fraction = `${(asked / frames).toFixed(2)} · ${((asked / frames) * rate).toFixed(1)} frames per second`;
    say("fraction", fraction);
    slider.setAttribute("aria-valuetext", fraction);
    say("chosen", solver.value);
    say("told", wordsOf(state, least, asked, frames, solver.value));
    drawStrip(find("svg.chosen"), state.offsets, `${state.kept} of ${frames} frames are kept by ${solver.value}`);
    drawStrip(find("svg.frames.least"), least.offsets, `${least.kept} of ${frames} frames are kept at the least cost`);
    drawCurve(row[solver.value], row.dp, state);
  }

  function drawCurve(path, least, state) {
    const top = Math.max(...least.costs);
    const across = (kept) => CURVE.left + (kept / frames) * (CURVE.width - 2 * CURVE.left);
    const up = (cost) => {
      const high = CURVE.height - CURVE.bottom;
      return high - clamp(cost / top, 0, 1.05) * (high - 8);
    };
    const line = ({ costs }) => {
      const floor = frames + 1 - costs.length;
      const points = costs.map((cost, place) => `${across(floor + place).toFixed(1)} ${up(cost).toFixed(1)}`);
      return `M${points.join("L")}`;
    };
    find(".curve path.least").setAttribute("d", line(least));
    find(".curve path.chosen").setAttribute("d", line(path));
    find(".curve circle").setAttribute("cx", across(state.kept));
    find(".curve circle").setAttribute("cy", up(state.cost));
    say("top", `its top: cost ${top.toFixed(0)}`);
    find(".curve").setAttribute(
      "aria-label",
      `Cost against kept fraction. ${solver.value} reaches down to ${floorOf(path, frames)} frames, dp to ${floorOf(least, frames)}`,
    );
  }

  for (const control of [solver, cap]) control.addEventListener("change", update);
  slider.addEventListener("input", update);
  root.addEventListener("keydown", (event) => event.stopPropagation()); // the page has keys of its own
  update();
}
