// The widget: its state, and what each control does to it.
import { clamp, gainOf } from "./maths.js";
import { blindTest, testedVersion } from "./blind.js";
import { drawClip, drawFrames, drawPlace, drawWords, nameOf } from "./draw.js";
import { glidingClock } from "./clock.js";
import { followPointer } from "./plot.js";
import { meaningOf } from "./keys.js";
import { soundOf } from "./payload.js";
import { playerFor, soundsNow } from "./speaker.js";
import { inOrder, keyOf, stopBeside, versionOf } from "./versions.js";

const SHORTEST = 0.15; // seconds of a loop
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

/** Bring the controls under `root` to life. `fetcher` makes sounds come; `moved(state)` is told. */
export function live(root, cards, fetcher, moved = () => {}) {
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
