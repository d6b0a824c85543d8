// From the widget's state to what its elements say and show.
import { droppedSpans, errorsOf, offsetsOfOrder, offsetsOfUniform } from "./selection.js";
import { clamp, clock } from "./maths.js";
import { escape, icon } from "./view.js";
import { scoreOf } from "./abx.js";

const show = (root, name, text) => (root.querySelector(`[data-show=${name}]`).textContent = text);
const press = (root, name, on) => {
  root.querySelector(`[data-do="${name}"]`).setAttribute("aria-pressed", String(on));
};
const fraction = (card, kept) => (kept / card.frames).toFixed(2);
const perSecond = (card, kept) => ((kept / card.frames) * card.latent_rate).toFixed(1);

/** What stays the same while a clip is chosen. */
export function drawClip(root, card) {
  const slider = root.querySelector("input.kept");
  const low = Math.min(...card.versions.filter(({ kind }) => kind === "elastic").map(({ kept }) => kept));
  slider.min = low;
  slider.max = card.frames;
  const marks = card.versions.filter(({ kind }) => kind === "elastic").map(({ kept }) => {
    const share = (kept - low) / (card.frames - low);
    return `<i style="left:calc(var(--thumb) / 2 + ${share} * (100% - var(--thumb)))"></i>`;
  });
  root.querySelector(".stops").innerHTML = marks.join("");
  root.querySelector(".position").max = (card.samples / card.rate).toFixed(1);
  root.querySelector(".hertz").innerHTML = card.hertz
    .map(([label, height]) => `<span style="bottom:${(100 * height).toFixed(1)}%">${label}</span>`)
    .join("");
  const made = root.querySelector("[data-show=made]");
  made.innerHTML = `${escape(card.about)} ${card.credit}`;
}

/** Frames and errors at `kept` frames, chosen by the removal order or evenly. */
export function drawFrames(root, card, kept, evenly) {
  const { frames, cap, costs, order } = card;
  const offsets = evenly ? offsetsOfUniform(frames, kept) : offsetsOfOrder(order, frames, kept);
  const anchors = offsets.flatMap((offset, frame) => (offset ? [] : [frame]));
  drawStrip(root.querySelector("svg.frames"), offsets, `${anchors.length} of ${frames} frames are kept`);
  const errors = errorsOf(costs, cap, offsets);
  const bars = errors.map((error, frame) => {
    const height = clamp(error / card.error_top, 0, 1);
    return height ? `M${frame + 0.09} 1v${(-height).toFixed(4)}h.82v${height.toFixed(4)}z` : "";
  });
  const plot = root.querySelector("svg.errors");
  plot.setAttribute("viewBox", `0 0 ${frames} 1`);
  const mean = errors.reduce((sum, error) => sum + error, 0) / Math.max(1, frames - anchors.length);
  plot.setAttribute("aria-label", `Mean prediction error of the others: ${mean.toFixed(2)}`);
  plot.innerHTML = `<path d="${bars.join("")}"></path>`;
  show(root, "errors", `(mean ${mean.toFixed(2)})`);
}

/** Kept and dropped frames as bars in `strip`, an SVG element, with `label` for who cannot see it. */
export function drawStrip(strip, offsets, label) {
  strip.setAttribute("viewBox", `0 0 ${offsets.length} 10`);
  strip.setAttribute("aria-label", label);
  const dropped = droppedSpans(offsets).map(
    ([first, length]) => `<rect class="dropped" x="${first}" width="${length}" y="3.5" height="3"/>`,
  );
  const kept = offsets.flatMap((offset, frame) =>
    offset ? [] : [`<rect class="kept" x="${frame + 0.09}" width=".82" y="0" height="10"/>`],
  );
  strip.innerHTML = [...dropped, ...kept].join("");
}

/** The words and the pressed buttons. */
export function drawWords(root, state, heard) {
  const { card, kept, voice, matched, player, test } = state;
  const rate = `${perSecond(card, kept)} of ${card.latent_rate.toFixed(1)} frames per second`;
  show(root, "kept", `${fraction(card, kept)} · ${rate}`);
  const words = heardIn(card, heard, kept);
  const slider = root.querySelector("input.kept");
  slider.value = kept;
  slider.disabled = Boolean(test);
  slider.setAttribute("aria-valuetext", `${fraction(card, kept)} kept, ${rate}. ${words}`);
  show(root, "heard", test ? "" : words);
  const hiddenX = test && test.hears === "X";
  show(root, "gain", !matched ? "levels as decoded" : hiddenX ? "" : `gain ${signed(heard.gain)} dB`);
  for (const kind of ["elastic", "uniform", "ceiling", "original"]) {
    press(root, `voice-${kind}`, voice === kind && !test);
    root.querySelector(`[data-do=voice-${kind}]`).disabled = Boolean(test);
  }
  press(root, "matched", matched);
  root.querySelector("[data-do=matched]").disabled = Boolean(test);
  press(root, "loop", state.looping);
  const play = root.querySelector(".play");
  const playing = Boolean(player?.playing || state.loading);
  play.setAttribute("aria-label", playing ? "Pause" : "Play");
  play.querySelector("path").setAttribute("d", icon(playing));
  root.querySelector(".widget").classList.toggle("loading", Boolean(state.loading));
  state.cards.forEach((other, place) => press(root, `clip-${place}`, other === card));
  drawTest(root, state);
}

function drawTest(root, { card, kept, test, versions }) {
  const section = root.querySelector(".blind");
  section.hidden = !test;
  for (const opener of root.querySelectorAll(".foot [data-do=blind]")) {
    opener.setAttribute("aria-expanded", String(Boolean(test)));
  }
  if (!test) return;
  show(root, "a", nameOf(card, versions.A));
  show(root, "score", scoreOf(test));
  for (const letter of "ABX") press(root, `hear-${letter}`, test.hears === letter);
}

/** The name of a version in words. */
export function nameOf(card, version) {
  if (version.kind === "original") return "the original";
  if (version.kind === "ceiling") return "the autoencoder alone, no frame dropped";
  const how = version.kind === "uniform" ? "evenly spaced frames" : "Elastic Time";
  return `${how} at ${fraction(card, version.kept)}`;
}

function heardIn(card, heard, kept) {
  const name = `You hear ${nameOf(card, heard)}`;
  if (!heard.kept) return `${name}.`;
  const where = heard.kept === kept ? "a rendered stop" : "the rendered stop nearest to it";
  return `${name}, ${where} (${heard.kept} of ${card.frames} frames).`;
}

/** The playhead, the time and the loop's stretch, in seconds. */
export function drawPlace(root, card, seconds, loop) {
  const whole = card.samples / card.rate;
  const at = clamp(seconds, 0, whole);
  root.querySelector(".playhead").style.transform = `translateX(${(100 * at) / whole}cqw)`;
  show(root, "time", `${clock(at)} / ${clock(whole)}`);
  const position = root.querySelector(".position");
  if (root.activeElement !== position) position.value = at;
  position.setAttribute("aria-valuetext", `${at.toFixed(1)} of ${whole.toFixed(1)} seconds`);
  const region = root.querySelector(".region");
  region.hidden = !loop;
  if (loop) {
    region.style.left = `${(100 * loop.start) / whole}%`;
    region.style.width = `${(100 * (loop.end - loop.start)) / whole}%`;
  }
}

const signed = (number) => (number < -0.05 ? "−" : number > 0.05 ? "+" : "±") + Math.abs(number).toFixed(1);
