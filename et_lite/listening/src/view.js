// The widget's elements, once; what changes is written by draw.js.

export const VOICES = [
  { kind: "elastic", name: "Elastic Time", key: "" },
  { kind: "uniform", name: "Even spacing", key: "B" },
  { kind: "ceiling", name: "Autoencoder", key: "A" },
  { kind: "original", name: "Original", key: "R" },
];

const PLAY = "M3 1.5v13l11-6.5z";
const PAUSE = "M3 1.5h3.5v13H3zM9.5 1.5H13v13H9.5z";
export const icon = (playing) => (playing ? PAUSE : PLAY);

const hint = (key) => (key ? ` <kbd aria-hidden="true">${key}</kbd>` : "");
const button = (name, text, key = "", more = "") =>
  `<button type="button" data-do="${name}" ${more}>${text}${hint(key)}</button>`;

const HINTS = [
  ["Space", "play and pause"],
  ["← →", "the rendered stop before, the one after"],
  ["↑ ↓", "one frame less, one frame more"],
  ["R", "the original and back"],
  ["A", "the autoencoder alone and back"],
  ["B", "evenly spaced frames at the same rate and back"],
  ["G", "loudness matched or not"],
  ["L", "loop"],
  ["[ ]", "begin and end the loop at the playhead"],
  ["X", "blind test"],
];

const blind = `
<section class="blind" hidden aria-label="Blind test">
  <p><b>Blind test.</b> X is A or B, drawn anew after each answer. Which is it?</p>
  <dl><dt>A</dt><dd data-show="a"></dd>
  <dt><label for="against">B</label></dt><dd><select id="against" data-do="against"></select></dd></dl>
  <div class="row" role="group" aria-label="Listen to">Hear
    ${button("hear-A", "A", "1", 'aria-pressed="false"')}
    ${button("hear-B", "B", "2", 'aria-pressed="false"')}
    ${button("hear-X", "X", "3", 'aria-pressed="false"')}</div>
  <div class="row">${button("guess-A", "X is A")} ${button("guess-B", "X is B")}
    <output data-show="score" role="status"></output></div>
  <p class="soft">Decide beforehand how many answers you will give. p is the chance of doing at least
  so well by guessing, if you look at it once, at the end.</p>
  <div class="row">${button("blind-anew", "Start anew")} ${button("blind", "Leave", "X")}</div>
</section>`;

/** The inside of the widget for these clips (cards). */
export function markup(cards) {
  const clips = cards.map((card, place) => button(`clip-${place}`, escape(card.title), "", 'aria-pressed="false"'));
  const voices = VOICES.map(({ kind, name, key }) => button(`voice-${kind}`, name, key, 'aria-pressed="false"'));
  const keys = HINTS.map(([key, does]) => `<dt><kbd>${key}</kbd></dt><dd>${does}</dd>`);
  return `
<div class="widget" role="group" aria-label="Listening to Elastic Time">
  <div class="row clips" role="group" aria-label="Clip">${clips.join("")}</div>
  <div class="plot">
    <div class="spectrum"><img alt=""><div class="hertz" aria-hidden="true"></div></div>
    <svg class="frames" preserveAspectRatio="none" role="img"></svg>
    <svg class="errors" preserveAspectRatio="none" role="img"></svg>
    <div class="region" hidden></div><div class="playhead"></div>
  </div>
  <input type="range" class="position" min="0" step="0.1" value="0" aria-label="Position">
  <p class="legend" aria-hidden="true"><span><i class="kept"></i>kept frame</span>
  <span><i class="dropped"></i>predicted</span><span><i class="error"></i>prediction error
  <span data-show="errors"></span></span></p>
  <div class="keep">
    <button type="button" data-do="play" class="play" aria-label="Play">
      <svg viewBox="0 0 16 16" aria-hidden="true"><path d="${PLAY}"></path></svg></button>
    <div><label for="kept">Kept fraction</label> <span class="rate" data-show="kept"></span>
      <input type="range" class="kept" id="kept" step="1">
      <div class="stops" aria-hidden="true"></div></div>
  </div>
  <div class="row voices" role="group" aria-label="Version that plays">${voices.join("")}</div>
  <p class="heard" data-show="heard"></p>
  <div class="row"><span class="time" data-show="time"></span>
    ${button("loop", "Loop", "L", 'aria-pressed="false"')}
    ${button("matched", "Same loudness", "G", 'aria-pressed="true"')}
    <span class="soft" data-show="gain"></span></div>
  <p class="problem" data-show="problem" role="alert" hidden></p>
  ${blind}
  <div class="row foot">${button("blind", "Blind test", "X", 'aria-expanded="false"')}
    <details class="keys"><summary>Keys</summary><dl>${keys.join("")}</dl></details>
    <details class="made"><summary>About the sound</summary><p data-show="made"></p></details></div>
</div>`;
}

/** Text that cannot turn into elements. */
export function escape(text) {
  const place = document.createElement("span");
  place.textContent = text;
  return place.innerHTML;
}
