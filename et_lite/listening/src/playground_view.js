// The recorded playground's elements, once; what changes is written by playground.js.
import { escape } from "./view.js";

export const CURVE = { width: 320, height: 110, left: 6, bottom: 16 }; // in its own units

const option = (value, chosen) => `<option${value === chosen ? " selected" : ""}>${escape(value)}</option>`;
const choice = (name, label, values, chosen) =>
  `<span><label for="${name}">${label}</label>
    <select id="${name}">${values.map((value) => option(value, chosen)).join("")}</select></span>`;

/** The inside of the playground for what et_lite/playground/recorded.py wrote. */
export function playgroundMarkup({ title, picture, frames, low, paths, cap, solver }) {
  const solvers = Object.keys(paths[cap]);
  const ticks = [0.25, 0.5, 0.75, 1].map(
    (share) => `<text x="${CURVE.left + share * (CURVE.width - 2 * CURVE.left)}" y="${CURVE.height - 3}">${share}</text>`,
  );
  return `
<div class="widget" role="group" aria-label="Solver playground: ${escape(title)}">
  <div class="row choices">${choice("solver", "Solver", solvers, solver)}
    ${choice("cap", "Cap <i>K</i>", Object.keys(paths), String(cap))}</div>
  <label for="keep">Kept fraction</label> <span class="rate" data-show="fraction"></span>
  <input type="range" class="keep-length" id="keep" step="1" min="${low}" max="${frames}" value="${Math.round(frames / 2)}">
  <div class="spectrum low"><img alt="Spectrogram: ${escape(title)}" src="data:image/png;base64,${picture}"></div>
  <p class="legend" data-show="chosen"></p>
  <svg class="frames chosen" preserveAspectRatio="none" role="img"></svg>
  <p class="legend">the least cost at as many frames (dp)</p>
  <svg class="frames least" preserveAspectRatio="none" role="img"></svg>
  <p data-show="told" role="status"></p>
  <svg class="curve" viewBox="0 0 ${CURVE.width} ${CURVE.height}" role="img">
    <path class="axis" d="M${CURVE.left} 2V${CURVE.height - CURVE.bottom}H${CURVE.width - CURVE.left}"></path>
    <g aria-hidden="true">${ticks.join("")}<text class="top" x="${CURVE.width - CURVE.left}" y="12" data-show="top"></text></g>
    <path class="least"></path><path class="chosen"></path><circle r="4"></circle></svg>
  <p class="legend" aria-hidden="true"><span><i class="error"></i>cost by kept fraction</span>
    <span><i class="kept"></i>the least cost</span></p>
</div>`;
}
