/* Built by scripts/build_listening.py from the modules in src: change those. */
(() => {
"use strict";

// listening.css
const CSS = "/* Colours of the book's figures (et_lite/plotting.py); the page gives the typeface. */\n:host {\n  --thumb: 20px;\n  --kept: #0072b2;\n  --dropped: #b9d4e6;\n  --error: #d55e00;\n  --ink: #1b1f23;\n  --soft: #57606a;\n  --line: #b4bcc4;\n  --face: #fff;\n  display: block;\n  margin: 1.2em 0;\n  color: var(--ink);\n  accent-color: var(--kept);\n  color-scheme: light;\n}\n:host([data-ground=\"dark\"]) {\n  --kept: #56b4e9;\n  --dropped: #2c4a5e;\n  --error: #e69f00;\n  --ink: #e8eaed;\n  --soft: #a9b1ba;\n  --line: #57606a;\n  --face: #22272e;\n  color-scheme: dark;\n}\n* { box-sizing: border-box; }\n.widget {\n  max-width: 46rem;\n  padding: .9rem 1rem;\n  border: 1px solid var(--line);\n  border-radius: .6rem;\n  font-size: .95rem;\n  line-height: 1.45;\n  touch-action: manipulation;\n}\n.row { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .5rem; margin: .55rem 0; }\np { margin: .4rem 0; }\n.soft { color: var(--soft); }\n.soft, .legend, .foot, .heard { font-size: .87em; }\n\nbutton, select {\n  min-height: 2.2rem;\n  padding: .2rem .75rem;\n  border: 1px solid var(--line);\n  border-radius: .45rem;\n  background: var(--face);\n  color: inherit;\n  font: inherit;\n  cursor: pointer;\n}\nselect { max-width: 100%; }\nbutton:hover { border-color: var(--kept); }\nbutton[aria-pressed=\"true\"] { border-color: var(--kept); box-shadow: inset 0 0 0 1px var(--kept); }\nbutton:disabled { opacity: .5; cursor: default; }\n:focus-visible { outline: 3px solid var(--kept); outline-offset: 2px; }\nkbd {\n  padding: 0 .3em;\n  border: 1px solid var(--line);\n  border-radius: .25em;\n  color: var(--soft);\n  font: .8em/1.3 ui-monospace, monospace;\n}\n.play {\n  width: 3.2rem; height: 3.2rem; padding: 0;\n  border: 0; border-radius: 50%;\n  background: var(--kept);\n  color: var(--face);\n}\n.play svg { width: 1.15rem; height: 1.15rem; margin: auto; display: block; fill: currentColor; }\n.loading .play { opacity: .6; }\n.time { min-width: 6.6em; font-variant-numeric: tabular-nums; }\n\n.plot {\n  position: relative;\n  container-type: inline-size;\n  cursor: crosshair;\n  touch-action: pan-y;\n  user-select: none;\n}\n.spectrum { position: relative; height: 9.5rem; border-radius: .3rem; overflow: hidden; background: #000004; }\n.spectrum img { display: block; width: 100%; height: 100%; margin: 0; pointer-events: none; }\n.hertz span {\n  position: absolute; left: .3rem;\n  transform: translateY(50%);\n  color: #fff; font-size: .68rem; line-height: 1;\n  text-shadow: 0 0 3px #000, 0 0 3px #000;\n}\n.plot svg { display: block; width: 100%; }\n.frames { height: 1.7rem; margin-top: .3rem; }\n.errors { height: 2.6rem; margin-top: .15rem; border-bottom: 1px solid var(--line); overflow: hidden; }\n.errors path { fill: var(--error); }\n.frames .kept { fill: var(--kept); }\n.frames .dropped { fill: var(--dropped); }\n.playhead {\n  position: absolute; top: 0; bottom: 0; left: -1px;\n  width: 2px;\n  background: #fff;\n  box-shadow: 0 0 0 1px #0008;\n  pointer-events: none;\n}\n.region {\n  position: absolute; top: 0; bottom: 0;\n  border: solid var(--error); border-width: 0 2px;\n  background: color-mix(in srgb, var(--error) 22%, transparent);\n  pointer-events: none;\n}\n.legend { margin: .1rem 0 0; display: flex; flex-wrap: wrap; gap: .1rem 1rem; color: var(--soft); }\n.legend .kept { background: var(--kept); }\n.legend .dropped { background: var(--dropped); }\n.legend .error { background: var(--error); }\n.legend i { display: inline-block; width: .8em; height: .8em; margin-right: .35em; border-radius: 2px; }\n\ninput[type=\"range\"] { width: 100%; margin: 0; height: 1.6rem; background: transparent; appearance: none; cursor: pointer; }\ninput[type=\"range\"]::-webkit-slider-runnable-track { height: 6px; border-radius: 3px; background: var(--line); }\ninput[type=\"range\"]::-moz-range-track { height: 6px; border-radius: 3px; background: var(--line); }\ninput[type=\"range\"]::-webkit-slider-thumb {\n  appearance: none; width: var(--thumb); height: var(--thumb); margin-top: -7px;\n  border: 0; border-radius: 50%; background: var(--kept);\n}\ninput[type=\"range\"]::-moz-range-thumb {\n  width: var(--thumb); height: var(--thumb); border: 0; border-radius: 50%; background: var(--kept);\n}\ninput.position { --thumb: 12px; height: 1.1rem; display: block; }\ninput.position::-webkit-slider-runnable-track { height: 2px; }\ninput.position::-webkit-slider-thumb { margin-top: -5px; background: var(--soft); }\ninput.position::-moz-range-track { height: 2px; }\ninput.position::-moz-range-thumb { background: var(--soft); }\ninput:disabled { opacity: .5; }\n.choices { gap: .4rem 1.2rem; }\n.choices label, label[for=\"keep\"] { font-weight: 600; }\n.choices select { margin-left: .3rem; }\ninput.keep-length { margin: .25rem 0 0; }\n.spectrum.low { height: 6rem; margin-top: .4rem; }\n.frames + .legend, .spectrum + .legend { margin-top: .4rem; }\n.frames.least .kept { fill: var(--kept); }\n.frames.chosen .kept { fill: var(--error); }\nsvg.frames { display: block; width: 100%; }\n.curve { display: block; width: 100%; max-width: 32rem; height: auto; }\n.curve path { fill: none; stroke: var(--kept); stroke-width: 1.5; }\n.curve path.axis { stroke: var(--line); stroke-width: 1; }\n.curve path.chosen { stroke: var(--error); stroke-dasharray: 4 2; }\n.curve circle { fill: var(--error); }\n.curve text { fill: var(--soft); font-size: 10px; text-anchor: middle; }\n.curve text.top { text-anchor: end; }\n.keep { display: grid; grid-template-columns: auto 1fr; gap: .9rem; align-items: center; margin-top: .7rem; }\n.keep label { font-weight: 600; }\n.rate { font-variant-numeric: tabular-nums; }\n.stops { position: relative; height: 7px; margin-top: -.3rem; }\n.stops i { position: absolute; width: 1px; height: 7px; background: var(--soft); }\n.heard { color: var(--soft); min-height: 1.45em; }\n.problem { color: var(--error); font-weight: 600; }\n.blind { margin: .7rem 0; padding: .4rem .8rem; border-left: 4px solid var(--kept); }\n.blind output { font-weight: 600; }\n.foot { align-items: start; }\nsummary { min-height: 2.2rem; padding: .35rem .3rem; cursor: pointer; }\ndetails[open] { flex-basis: 100%; }\ndl { display: grid; grid-template-columns: max-content minmax(0, 1fr); align-items: baseline; gap: .15rem .8rem; margin: .2rem 0; }\ndd { margin: 0; }\na { color: var(--kept); }\n[hidden] { display: none !important; }\n";

// payload.js
// Sounds come when they are wanted, as scripts: a page opened from a folder may not fetch.

const arrived = new Map(); // key -> promise of { bytes, picture }
const handOver = new Map(); // key -> what settles that promise
const decoded = new WeakMap(); // context -> Map of key -> promise of { buffer, picture }

/** Called by a payload's script: a FLAC file and a PNG picture, both in base64. */
function deliver(key, flac, picture) {
  const bytes = Uint8Array.from(atob(flac), (letter) => letter.charCodeAt(0));
  take(key, { bytes, picture });
}

/** What was sent for a key, as bytes. */
function take(key, payload) {
  if (handOver.has(key)) handOver.get(key).resolve(payload);
  else arrived.set(key, Promise.resolve(payload));
  handOver.delete(key);
}

/** The sound and picture of `key`, decoded; `fetcher(key)` makes it come. */
function soundOf(context, key, fetcher) {
  if (!decoded.has(context)) decoded.set(context, new Map());
  const known = decoded.get(context);
  if (!known.has(key)) {
    const wanted = payloadOf(key, fetcher).then(async ({ bytes, picture }) => ({
      buffer: await context.decodeAudioData(bytes.slice().buffer), // which takes the bytes away
      picture,
    }));
    wanted.catch(() => known.delete(key)); // to be tried again
    known.set(key, wanted);
  }
  return known.get(key);
}

function payloadOf(key, fetcher) {
  if (!arrived.has(key)) {
    arrived.set(
      key,
      new Promise((resolve, reject) => {
        const fail = (reason) => {
          arrived.delete(key);
          handOver.delete(key);
          reject(new Error(reason));
        };
        handOver.set(key, { resolve });
        fetcher(key, fail);
      }),
    );
  }
  return arrived.get(key);
}

/** A fetcher that adds the script `base` + key + ".js", which calls `deliver`. */
function byScript(base) {
  return (key, fail) => {
    const script = document.createElement("script");
    script.src = `${base}${key}.js`;
    script.onerror = () => fail(`${key}.js did not load`);
    script.onload = () => script.remove();
    document.head.append(script);
  };
}

/** A fetcher that reads the page itself: audio elements that hold their sound. */
function byElement(host) {
  return (key, fail) => {
    const audio = [...host.querySelectorAll("audio")].find((found) => found.dataset.key === key);
    if (!audio) return fail(`${key} is not in the page`);
    deliver(key, audio.getAttribute("src").split(",")[1], audio.dataset.picture);
  };
}

// abx.js
// A blind test: X is A or B, hidden; can the listener tell which? (ITU-R BS.1116; book: intro)
// A test is a value: { x: "A" or "B", right, answers }.

/** The chance of at least `right` right answers out of `answers` by guessing, P(S >= right). */
function chanceOf(right, answers) {
  let term = 0.5 ** answers; // C(n, n) / 2^n, then downwards
  let sum = 0;
  for (let k = answers; k >= right; k--) {
    sum += term;
    term *= k / (answers - k + 1);
  }
  return Math.min(1, sum);
}

/** A new test; `random` gives a number in [0, 1). */
const newTest = (random) => ({ x: hidden(random), right: 0, answers: 0 });

/** The test after the guess that X is `guess`, with a new X. */
function answered(test, guess, random) {
  return {
    x: hidden(random),
    right: test.right + (guess === test.x ? 1 : 0),
    answers: test.answers + 1,
  };
}

/** The score in words. */
function scoreOf({ right, answers }) {
  if (!answers) return "No answer yet.";
  const chance = chanceOf(right, answers);
  const shown = chance < 0.001 ? "p < 0.001" : `p = ${chance.toFixed(3)}`;
  return `${right} of ${answers} right, ${shown}`;
}

/** A fair number in [0, 1): the page's own random numbers can be guessed from each other. */
const fair = () => crypto.getRandomValues(new Uint32Array(1))[0] / 2 ** 32;

const hidden = (random) => (random() < 0.5 ? "A" : "B");

// selection.js
// Which frames are kept, and how wrong the guesses of the others are (book: chunking).
// A frame's offset is 0 where it is kept, and k where it is the k-th guess after a kept one.

/** Offsets of T frames of which `kept` stay: the first T - kept of the removal order are gone. */
function offsetsOfOrder(order, frames, kept) {
  const removed = new Set(order.slice(0, frames - kept));
  const offsets = [];
  for (let frame = 0; frame < frames; frame++) {
    offsets.push(removed.has(frame) ? offsets[frame - 1] + 1 : 0);
  }
  return offsets;
}

/** Offsets of T frames of which `kept` evenly spaced ones stay: those at i * T / kept. */
function offsetsOfUniform(frames, kept) {
  const anchors = new Set(Array.from({ length: kept }, (_, i) => Math.floor((i * frames) / kept)));
  const offsets = [];
  for (let frame = 0; frame < frames; frame++) {
    offsets.push(anchors.has(frame) ? 0 : offsets[frame - 1] + 1);
  }
  return offsets;
}

/** Offsets of T frames from a bit for each, set where it is kept, in base64. */
function offsetsOfBits(text, frames) {
  const bytes = atob(text);
  const offsets = [];
  for (let frame = 0; frame < frames; frame++) {
    const kept = (bytes.charCodeAt(frame >> 3) >> (7 - (frame & 7))) & 1;
    offsets.push(kept ? 0 : offsets[frame - 1] + 1);
  }
  return offsets;
}

/** The step cost e[a, l] of every frame, from the table's rows joined, `cap` steps each; 0 if kept. */
function errorsOf(costs, cap, offsets) {
  return offsets.map((step, frame) => (step ? costs[(frame - step) * cap + step - 1] : 0));
}

/** Runs of frames that are not kept, as [first, length]. */
function droppedSpans(offsets) {
  const spans = [];
  offsets.forEach((offset, frame) => {
    if (offset === 1) spans.push([frame, 1]);
    else if (offset > 1) spans[spans.length - 1][1]++;
  });
  return spans;
}

// maths.js
// Numbers alone: no page and no sound.

const FADE = 0.018; // seconds of a crossfade

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

const gainOf = (decibels) => 10 ** (decibels / 20);

/** The entry of `list` whose `measure` is nearest to `value`; of two equally near, the larger. */
function nearest(list, value, measure) {
  const distance = (entry) => Math.abs(measure(entry) - value);
  return list.reduce((best, entry) => {
    const closer = distance(entry) - distance(best);
    return closer < 0 || (closer === 0 && measure(entry) > measure(best)) ? entry : best;
  });
}

/** Where a straight line stands at `time` that goes `from` one level `to` another in FADE seconds. */
function levelAt(line, time) {
  return line.from + (line.to - line.from) * clamp((time - line.time) / FADE, 0, 1);
}

/** The sample that sounds when `sample` would without the loop: from `end` it goes on at `start`. */
function wrapped(sample, loop) {
  if (!loop || sample < loop.end) return loop ? Math.max(sample, loop.start) : sample;
  return loop.start + ((sample - loop.start) % (loop.end - loop.start));
}

/**
 * The samples of a loop, so that playing them in a circle makes no click: the last `fade` samples
 * turn into those before the start. Where there are not so many, both ends fade instead.
 */
function looped(samples, loop, fade) {
  const piece = samples.slice(loop.start, loop.end);
  const length = Math.min(fade, piece.length >> 1);
  for (let step = 0; step < length; step++) {
    const share = (step + 1) / (length + 1);
    const place = piece.length - length + step;
    piece[place] *= 1 - share;
    if (loop.start < length) piece[step] *= share;
    else piece[place] += samples[loop.start - length + step] * share;
  }
  return piece;
}

/** Seconds as 0:03.2. */
function clock(seconds) {
  const tenths = Math.floor(seconds * 10 + 1e-6);
  const rest = (tenths % 600) / 10;
  return `${Math.floor(tenths / 600)}:${rest < 10 ? "0" : ""}${rest.toFixed(1)}`;
}

// versions.js
// Which of a clip's versions is meant. A version is { name, kind, kept, gain }.

/** The version of a kind; of those with fewer frames the one nearest to `kept` frames. */
function versionOf(card, kind, kept) {
  if (kind === "original" || kind === "ceiling") {
    return card.versions.find((version) => version.kind === kind);
  }
  // Where every frame is kept there is nothing to choose: that version is everybody's.
  const own = card.versions.filter((version) => version.kind === kind || version.kept === card.frames);
  return nearest(own, kept, (version) => version.kept);
}

/** The next kept length with a rendered version, above (1) or below (-1). */
function stopBeside(card, kept, step) {
  const stops = card.versions.filter(({ kind }) => kind === "elastic").map((version) => version.kept);
  const further = stops.filter((stop) => (stop - kept) * step > 0);
  return further.length ? nearest(further, kept, (stop) => stop) : kept;
}

/** All but the baseline in the order in which they will be wanted: it is asked for by name. */
function inOrder(card, kept) {
  const rank = ({ kind, kept: own }) => (kind === "elastic" ? Math.abs(own - kept) / card.frames : 0.1);
  return card.versions.filter(({ kind }) => kind !== "uniform").sort((a, b) => rank(a) - rank(b));
}

/** The name under which a version's sound travels. */
const keyOf = (card, version) => `${card.key}/${version.name}`;

// kernel.js
// The widget with a kernel behind it (anywidget): sounds are asked for, and any kept length too.

const REST = 250; // milliseconds without a move before the kernel is asked to render

/** Put the widget into `el`; `mount` makes it and `model` carries the messages. */
function attachTo({ model, el }, mount) {
  const host = el.appendChild(document.createElement("div"));
  const failures = new Map();
  const cards = structuredClone(model.get("cards")); // versions are added to them
  const fetcher = (key, fail) => {
    failures.set(key, fail);
    model.send({ sound: key });
  };
  let rest;
  const widget = mount(host, cards, fetcher, ({ card, kept, voice }) => {
    clearTimeout(rest);
    const there = versionOf(card, voice, kept);
    if (!there.kept || there.kept === kept) return;
    const asked = { clip: cards.indexOf(card), kind: voice, kept };
    rest = setTimeout(() => model.send({ render: asked }), REST);
  });
  model.on("msg:custom", (message, [sound] = []) => {
    if (message.sound) {
      const bytes = new Uint8Array(sound.buffer, sound.byteOffset, sound.byteLength);
      take(message.sound, { bytes, picture: message.picture });
    } else if (message.version) {
      cards[message.clip].versions.push(message.version);
      widget.update();
    } else if (message.problem) {
      failures.get(message.about)?.(message.problem);
    }
  });
  return () => widget.stop();
}

// player.js
// One playhead for all versions of a clip. Every change (another version, another level, a seek, a
// loop) is the same thing: a new voice comes in while all others go out, on the context's clock.

const LEAD = 0.05; // seconds: a busy page may be that late, and what starts late clicks

class Player {
  constructor(context) {
    this.context = context;
    this.output = context.createGain(); // all that is heard passes here: a test listens to it
    this.output.connect(context.destination);
    this.voices = []; // the last one stays, the others are fading
    this.sound = null; // { buffer, level }
    this.loop = null; // { start, end } in samples of the context
    this.playing = false;
    this.anchor = { time: 0, sample: 0 }; // this sample sounds at this time
    this.onended = () => {};
  }

  /** The sample that sounds at a time of the context. */
  sampleAt(time) {
    const { anchor, playing, context } = this;
    const sample = anchor.sample + (playing ? (time - anchor.time) * context.sampleRate : 0);
    return Math.max(0, wrapped(sample, this.loop));
  }

  /** Another version or level from here on, at the very sample where the old one is. */
  set(sound) {
    this.sound = sound;
    if (this.playing) this.enter(this.soon());
  }

  play() {
    if (this.playing || !this.sound) return;
    const when = this.soon();
    this.anchor = { time: when, sample: wrapped(this.anchor.sample, this.loop) };
    this.playing = true;
    this.enter(when);
  }

  pause() {
    if (!this.playing) return;
    const when = this.soon();
    this.anchor = { time: when, sample: Math.round(this.sampleAt(when)) };
    this.playing = false;
    this.leave(when);
  }

  /** Go on from a sample. */
  seek(sample) {
    const when = this.soon();
    this.anchor = { time: when, sample: wrapped(Math.round(sample), this.loop) };
    if (this.playing) this.enter(when);
  }

  /** Play a stretch { start, end } again and again, or null for no loop. */
  setLoop(loop) {
    const when = this.soon();
    const sample = Math.round(this.sampleAt(when));
    this.loop = loop;
    const inside = !loop || (sample >= loop.start && sample < loop.end);
    this.anchor = { time: when, sample: inside ? sample : loop.start };
    if (this.playing) this.enter(when);
  }

  /** A time that the audio thread has not reached, on a whole sample. */
  soon() {
    const { currentTime, baseLatency, sampleRate } = this.context;
    const lead = LEAD + (baseLatency || 0);
    return Math.ceil((currentTime + lead) * sampleRate) / sampleRate;
  }

  enter(when) {
    this.leave(when);
    const { context, loop, sound } = this;
    const source = context.createBufferSource();
    source.buffer = loop ? circle(context, sound.buffer, loop) : sound.buffer;
    source.loop = Boolean(loop);
    const gain = context.createGain();
    source.connect(gain).connect(this.output);
    const voice = { source, gain, line: { time: when, from: 0, to: sound.level } };
    gain.gain.value = 0;
    gain.gain.setValueAtTime(0, when);
    gain.gain.linearRampToValueAtTime(sound.level, when + FADE);
    source.start(when, (Math.round(this.sampleAt(when)) - (loop ? loop.start : 0)) / context.sampleRate);
    source.onended = () => this.gone(voice);
    this.voices.push(voice);
  }

  // Every voice, not only the last: ramps that began at different times would not add up to one.
  leave(when) {
    for (const voice of this.voices) {
      const level = levelAt(voice.line, when);
      voice.gain.gain.cancelScheduledValues(when);
      voice.gain.gain.linearRampToValueAtTime(level, when); // the line it was on, up to here
      voice.gain.gain.linearRampToValueAtTime(0, when + FADE);
      voice.source.stop(when + FADE);
      voice.line = { time: when, from: level, to: 0 };
    }
  }

  gone(voice) {
    voice.gain.disconnect();
    const last = this.voices[this.voices.length - 1] === voice;
    this.voices = this.voices.filter((other) => other !== voice);
    if (last && this.playing) {
      this.playing = false; // the clip's end
      this.anchor = { time: 0, sample: 0 };
      this.onended();
    }
  }
}

const circles = new WeakMap(); // of each buffer the last loop that was made

function circle(context, buffer, loop) {
  const made = circles.get(buffer);
  if (made && made.start === loop.start && made.end === loop.end) return made.piece;
  const fade = Math.round(FADE * buffer.sampleRate);
  const piece = context.createBuffer(buffer.numberOfChannels, loop.end - loop.start, buffer.sampleRate);
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    piece.copyToChannel(looped(buffer.getChannelData(channel), loop, fade), channel);
  }
  circles.set(buffer, { ...loop, piece });
  return piece;
}

// clock.js
// The audio clock as the eye wants it: it ticks in blocks of samples, a playhead glides.

const MOST = 0.015; // seconds that the playhead is moved at once to follow the sound

/** A function of the page's time in milliseconds that gives the time of `context` in seconds. */
function glidingClock(context, begin) {
  let offset = context.currentTime - begin / 1000;
  return (milliseconds) => {
    const page = milliseconds / 1000;
    const drift = context.currentTime - page - offset;
    offset += clamp(drift / 20, -MOST, MOST);
    return page + offset;
  };
}

// theme.js
// Light or dark as the page around is: every front end marks it in its own way, and all paint it.

/** Whether the ground under `element` is dark. */
function onDark(element) {
  for (let at = element; at; at = at.parentElement) {
    const numbers = getComputedStyle(at).backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [];
    const [red, green, blue, alpha = 1] = numbers;
    if (numbers.length && alpha > 0.5) return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
  }
  return false;
}

/** Keep `data-theme` of `host` as its ground is. */
function followTheme(host) {
  const look = () => (host.dataset.ground = onDark(host.parentElement) ? "dark" : "light");
  const watcher = new MutationObserver(look);
  for (const marked of [document.documentElement, document.body]) {
    watcher.observe(marked, { attributes: true });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", look);
  look();
}

// view.js
// The widget's elements, once; what changes is written by draw.js.

const VOICES = [
  { kind: "elastic", name: "Elastic Time", key: "" },
  { kind: "uniform", name: "Even spacing", key: "B" },
  { kind: "ceiling", name: "Autoencoder", key: "A" },
  { kind: "original", name: "Original", key: "R" },
];

const PLAY = "M3 1.5v13l11-6.5z";
const PAUSE = "M3 1.5h3.5v13H3zM9.5 1.5H13v13H9.5z";
const icon = (playing) => (playing ? PAUSE : PLAY);

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
function markup(cards) {
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
function escape(text) {
  const place = document.createElement("span");
  place.textContent = text;
  return place.innerHTML;
}

// draw.js
// From the widget's state to what its elements say and show.

const show = (root, name, text) => (root.querySelector(`[data-show=${name}]`).textContent = text);
const press = (root, name, on) => {
  root.querySelector(`[data-do="${name}"]`).setAttribute("aria-pressed", String(on));
};
const fraction = (card, kept) => (kept / card.frames).toFixed(2);
const perSecond = (card, kept) => ((kept / card.frames) * card.latent_rate).toFixed(1);

/** What stays the same while a clip is chosen. */
function drawClip(root, card) {
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
function drawFrames(root, card, kept, evenly) {
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
function drawStrip(strip, offsets, label) {
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
function drawWords(root, state, heard) {
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
function nameOf(card, version) {
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
function drawPlace(root, card, seconds, loop) {
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

// blind.js
// The blind test's steps, on the widget's state.

/** State changes of the test; `ready(versions)` resolves when these can be heard at once. */
function blindTest(state, root, { update, ready, complain }) {
  const against = root.querySelector("[data-do=against]");

  /** Begin: hidden, so that a sound that comes late cannot tell which it is. */
  async function begin() {
    const { card, kept, voice } = state;
    const asked = versionOf(card, voice === "uniform" ? "uniform" : "elastic", kept);
    const others = ["original", "ceiling", "uniform", "elastic"]
      .map((kind) => versionOf(card, kind, kept))
      .filter((version, place, all) => version !== asked && all.indexOf(version) === place);
    against.replaceChildren(...others.map((version, place) => new Option(nameOf(card, version), place)));
    state.others = others;
    await compare(asked, others[0]);
  }

  async function compare(A, B) {
    state.preparing = true;
    try {
      await ready([A, B]);
    } catch (error) {
      return complain(error);
    } finally {
      state.preparing = false;
    }
    state.versions = { A, B };
    state.test = { ...newTest(fair), hears: "X" };
    update();
  }

  against.addEventListener("change", () => compare(state.versions.A, state.others[against.value]));

  return {
    toggle() {
      if (state.preparing) return undefined;
      if (!state.test) return begin();
      state.test = null;
      return update();
    },
    anew: () => compare(state.versions.A, state.versions.B),
    hear(letter) {
      state.test = { ...state.test, hears: letter };
      update();
    },
    guess(letter) {
      state.test = { ...answered(state.test, letter, fair), hears: "X" };
      update();
    },
  };
}

/** The version that the test plays now. */
function testedVersion({ test, versions }) {
  return versions[test.hears === "X" ? test.x : test.hears];
}

// plot.js
// The plot under the pointer: a click seeks, a drag marks the stretch to loop.

const DRAG = 6; // pixels from which a press is a drag

/** Call `seek(share)` on a click and `mark(from, to)` on a drag, in shares of the plot's width. */
function followPointer(plot, { seek, mark }) {
  let from = null;
  const share = (event) => {
    const box = plot.getBoundingClientRect();
    return clamp((event.clientX - box.left) / box.width, 0, 1);
  };
  plot.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    plot.setPointerCapture(event.pointerId);
    from = { share: share(event), x: event.clientX, dragged: false };
  });
  plot.addEventListener("pointermove", (event) => {
    if (!from) return;
    from.dragged ||= Math.abs(event.clientX - from.x) > DRAG;
    if (from.dragged) mark(Math.min(from.share, share(event)), Math.max(from.share, share(event)), false);
  });
  plot.addEventListener("pointerup", (event) => {
    if (from?.dragged) mark(Math.min(from.share, share(event)), Math.max(from.share, share(event)), true);
    else if (from) seek(from.share);
    from = null;
  });
  plot.addEventListener("pointercancel", () => (from = null)); // the page scrolls instead
}

// keys.js
// Keys while anything in the widget has the focus.

const KEYS = {
  " ": "play",
  ArrowLeft: "stop-before",
  ArrowRight: "stop-after",
  r: "voice-original",
  a: "voice-ceiling",
  b: "voice-uniform",
  g: "matched",
  l: "loop",
  "[": "loop-from",
  "]": "loop-to",
  x: "blind",
};
const TEST_KEYS = { " ": "play", l: "loop", x: "blind", Escape: "blind", 1: "hear-A", 2: "hear-B", 3: "hear-X" };

/** What a key press means, or undefined. `target` is the focused element, `testing` a blind test. */
function meaningOf(event, target, testing) {
  if (event.ctrlKey || event.altKey || event.metaKey) return undefined;
  const own = target.tagName;
  // What the browser does with a key on the focused control comes first.
  if (event.key === " " && ["BUTTON", "SELECT", "SUMMARY", "A"].includes(own)) return undefined;
  if (event.key.startsWith("Arrow") && (own === "SELECT" || target.className === "position")) return undefined;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return (testing ? TEST_KEYS : KEYS)[key];
}

// speaker.js
// The page's loudspeaker: one audio context a sample rate, and one widget that sounds.

const contexts = new Map();
let silence = null; // what stops the widget that sounds now
let owner = null;

/** A player at `rate` hertz, so that samples pass as they are; at the device's where it refuses. */
function playerFor(rate) {
  if (!contexts.has(rate)) contexts.set(rate, contextAt(rate));
  return new Player(contexts.get(rate));
}

function contextAt(rate) {
  try {
    return new AudioContext({ sampleRate: rate });
  } catch {
    return new AudioContext();
  }
}

/** From now on `who` sounds, and whoever did before is told to stop. */
function soundsNow(stop, who) {
  if (owner !== who) silence?.();
  [silence, owner] = [stop, who];
}

// widget.js
// The widget: its state, and what each control does to it.

const SHORTEST = 0.15; // seconds of a loop
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

/** Bring the controls under `root` to life. `fetcher` makes sounds come; `moved(state)` is told. */
function live(root, cards, fetcher, moved = () => {}) {
  const state = {
    cards, card: cards[0], kept: 0, voice: "elastic", matched: true, looping: false, region: null,
    player: null, loading: false, test: null, versions: null, wants: false, asked: 0,
  };
  const slider = root.querySelector("input.kept");
  const image = root.querySelector(".spectrum img");
  const wanted = () => (state.test ? testedVersion(state) : versionOf(state.card, state.voice, state.kept));
  const level = (version) => (state.matched || state.test ? gainOf(version.gain) : 1);
  const rate = () => state.player.context.sampleRate;
  const seconds = () => (state.player ? state.player.sampleAt(state.player.context.currentTime) / rate() : 0);
  const load = (version) => soundOf(state.player.context, keyOf(state.card, version), fetcher);

  function update() {
    drawFrames(root, state.card, state.kept, state.voice === "uniform" && !state.test);
    drawWords(root, state, wanted());
    if (state.player) hear();
  }

  /** Let the wanted version sound, as soon as it is there. */
  async function hear() {
    const [version, turn] = [wanted(), ++state.asked];
    state.loading = true;
    try {
      const { buffer, picture } = await load(version);
      if (turn !== state.asked) return; // another one was wanted meanwhile
      state.loading = false;
      const [loudness, before] = [level(version), state.player.sound];
      if (before?.buffer !== buffer || before.level !== loudness) {
        state.player.set({ buffer, level: loudness });
      }
      if (state.wants && !state.player.playing) start();
      // In a blind test the picture must not tell.
      showPicture(state.test ? state.card.picture : picture, state.test ? "the original" : nameOf(state.card, version));
      drawWords(root, state, wanted());
    } catch (error) {
      if (turn === state.asked) complain(error);
    }
  }

  function showPicture(picture, name) {
    const source = `data:image/png;base64,${picture}`;
    if (image.src !== source) image.src = source;
    image.alt = `Spectrogram of ${name}`;
  }

  function complain(error) {
    state.loading = state.wants = false;
    const problem = root.querySelector("[data-show=problem]");
    problem.hidden = false;
    problem.textContent = `The sound cannot be played: ${error.message}.`;
    drawWords(root, state, wanted());
  }

  async function play() {
    root.querySelector("[data-show=problem]").hidden = true;
    state.wants = true;
    open();
    state.player.context.resume();
    await hear();
    for (const version of inOrder(state.card, state.kept)) await load(version).catch(() => {});
  }

  function open() {
    if (state.player) return;
    state.player = playerFor(state.card.rate);
    state.player.onended = () => {
      state.wants = false;
      drawWords(root, state, wanted());
    };
  }

  function start() {
    soundsNow(pause, state);
    applyLoop();
    state.player.play();
    cancelAnimationFrame(state.frame);
    state.frame = requestAnimationFrame((page) => {
      state.clock = glidingClock(state.player.context, page);
      follow(page);
    });
  }

  function pause() {
    state.wants = false;
    state.player?.pause();
    cancelAnimationFrame(state.frame);
    drawWords(root, state, wanted());
  }

  let drawn = 0; // when the playhead was, in milliseconds
  function follow(page) {
    const { player } = state;
    const heardAt = state.clock(page) - (player.context.outputLatency || 0);
    const at = player.playing ? player.sampleAt(heardAt) / rate() : seconds();
    if (!STILL.matches || page - drawn > 500 || !player.playing) {
      drawPlace(root, state.card, at, state.looping && state.region);
      drawn = page;
    }
    if (player.playing && root.host.isConnected) state.frame = requestAnimationFrame(follow);
    else if (player.playing) pause(); // the widget was removed from the page
  }

  /** The loop as the player counts it. */
  function applyLoop() {
    const { player, region } = state;
    if (!player?.sound) return;
    const { length } = player.sound.buffer;
    const { start: from, end } = region ?? { start: 0, end: length / rate() };
    const loop = { start: Math.round(from * rate()), end: Math.min(length, Math.round(end * rate())) };
    const [old, next] = [player.loop, state.looping ? loop : null];
    if (old?.start !== next?.start || old?.end !== next?.end) player.setLoop(next);
  }

  function place() {
    applyLoop();
    drawPlace(root, state.card, seconds(), state.looping && state.region);
    drawWords(root, state, wanted());
  }

  function seek(to) {
    if (state.region && (to < state.region.start || to > state.region.end)) state.region = null;
    open();
    applyLoop();
    state.player.seek(to * rate());
    place();
  }

  function mark(from, to) {
    const whole = state.card.samples / state.card.rate;
    const start = clamp(Math.min(from, to), 0, whole - SHORTEST);
    state.region = { start, end: clamp(Math.max(from, to), start + SHORTEST, whole) };
    state.looping = true;
    place();
  }

  function keep(kept) {
    const before = state.kept;
    state.kept = clamp(Math.round(kept), Number(slider.min), state.card.frames);
    if (state.kept !== before) moved(state);
    update();
  }

  function choose(card) {
    const again = state.wants;
    const share = state.card ? state.kept / state.card.frames : 0.5;
    if (state.player) {
      pause();
      Object.assign(state, { player: null, region: null, test: null });
    }
    state.asked++;
    state.card = card;
    drawClip(root, card);
    state.kept = clamp(Math.round(share * card.frames), Number(slider.min), card.frames);
    showPicture(card.picture, "the original");
    drawPlace(root, card, 0, null);
    update();
    if (again) play();
  }

  const blind = blindTest(state, root, {
    update, complain,
    ready: (versions) => (open(), Promise.all(versions.map(load))),
  });

  function act(name) {
    const [what, which] = name.split("-");
    const region = state.region ?? { start: 0, end: state.card.samples / state.card.rate };
    const actions = {
      play: () => (state.wants ? pause() : play()),
      stop: () => keep(stopBeside(state.card, state.kept, which === "after" ? 1 : -1)),
      voice: () => ((state.voice = state.voice === which ? "elastic" : which), moved(state), update()),
      matched: () => ((state.matched = !state.matched), update()),
      clip: () => choose(cards[which]),
      blind: () => (which === "anew" ? blind.anew() : blind.toggle()),
      hear: () => blind.hear(which),
      guess: () => blind.guess(which),
      loop: () => {
        if (which) return which === "from" ? mark(seconds(), region.end) : mark(region.start, seconds());
        state.looping = !state.looping;
        return place();
      },
    };
    actions[what]?.();
  }

  root.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-do]");
    if (button) act(button.dataset.do);
  });
  root.addEventListener("keydown", (event) => {
    const meaning = meaningOf(event, event.target, Boolean(state.test));
    if (!meaning) return;
    event.preventDefault();
    event.stopPropagation(); // notebooks and the book have keys of their own
    act(meaning);
  });
  slider.addEventListener("input", () => keep(Number(slider.value)));
  root.querySelector(".position").addEventListener("input", (event) => seek(Number(event.target.value)));
  const whole = () => state.card.samples / state.card.rate;
  followPointer(root.querySelector(".plot"), {
    seek: (share) => (slider.focus({ preventScroll: true }), seek(share * whole())),
    mark: (from, to) => mark(from * whole(), to * whole()),
  });
  state.kept = Math.round(cards[0].frames / 2);
  choose(cards[0]);
  return { state, update, act, stop: pause };
}

// playground_view.js
// The recorded playground's elements, once; what changes is written by playground.js.

const CURVE = { width: 320, height: 110, left: 6, bottom: 16 }; // in its own units

const option = (value, chosen) => `<option${value === chosen ? " selected" : ""}>${escape(value)}</option>`;
const choice = (name, label, values, chosen) =>
  `<span><label for="${name}">${label}</label>
    <select id="${name}">${values.map((value) => option(value, chosen)).join("")}</select></span>`;

/** The inside of the playground for what et_lite/playground/recorded.py wrote. */
function playgroundMarkup({ title, picture, frames, low, paths, cap, solver }) {
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

// playground.js
// The solver playground, recorded: each control's stop picks a state that Python solved at build.
// A path has a cost for every kept length from its floor to T (et_lite/playground/recorded.py).

/** The smallest kept length of a path. */
const floorOf = (path, frames) => frames + 1 - path.costs.length;

/** Offsets and cost at `kept` frames; below the floor, those at the floor. */
function stateAt(path, frames, kept) {
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
function wordsOf(state, least, asked, frames, solver) {
  const gap = least.cost > 0 ? state.cost / least.cost - 1 : 0;
  const longest = Math.max(...state.offsets) + 1;
  const missed = asked < state.kept ? ` Asked for ${asked}: ${solver} ends here.` : "";
  return (
    `${state.kept} of ${frames} frames kept (${(state.kept / frames).toFixed(3)}), the longest ` +
    `segment ${longest}. Cost ${state.cost.toFixed(2)}, ${(100 * gap).toFixed(1)} % above the least.${missed}`
  );
}

/** Bring the playground's controls to life. */
function playground(root, states) {
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

// main.js
// The script's one door: `ElasticListening`. Safe to run more than once on a page.

/** The inside of `host`, which replaces what it shows without scripts. */
function shadowOf(host, inside) {
  const root = host.attachShadow({ mode: "open" });
  root.innerHTML = `<style>${CSS}</style>${inside}`;
  followTheme(host);
  return root;
}

/** Put the widget in place of what `host` shows without scripts. */
function mount(host, cards, fetcher, moved) {
  const root = shadowOf(host, markup(cards));
  host.listening = live(root, cards, fetcher, moved);
  return host.listening;
}

/** Mount every widget of the page that is not yet: a host holds its cards as JSON. */
function mountAll() {
  for (const host of document.querySelectorAll(".et-listening")) {
    const cards = host.querySelector("script[type='application/json']");
    if (host.shadowRoot || !cards) continue;
    const { base } = host.dataset;
    mount(host, JSON.parse(cards.textContent), base ? byScript(base) : byElement(host));
  }
  for (const host of document.querySelectorAll(".et-playground")) {
    const told = host.querySelector("script[type='application/json']");
    if (host.shadowRoot || !told) continue;
    const states = JSON.parse(told.textContent);
    playground(shadowOf(host, playgroundMarkup(states)), states);
  }
}

if (!globalThis.ElasticListening) {
  const parts = { Player, answered, chanceOf, errorsOf, glidingClock, levelAt, looped, nearest, newTest };
  Object.assign(parts, { offsetsOfOrder, offsetsOfUniform, scoreOf, wrapped });
  const attach = (view) => attachTo(view, mount);
  globalThis.ElasticListening = { attach, deliver, mount, mountAll, parts, take };
}
globalThis.ElasticListening.mountAll();
if (document.readyState === "loading") {
  document.addEventListener("DOMContentLoaded", globalThis.ElasticListening.mountAll);
}
})();
