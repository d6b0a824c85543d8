// The blind test's steps, on the widget's state.
import { answered, fair, newTest } from "./abx.js";
import { versionOf } from "./versions.js";
import { nameOf } from "./draw.js";

/** State changes of the test; `ready(versions)` resolves when these can be heard at once. */
export function blindTest(state, root, { update, ready, complain }) {
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
export function testedVersion({ test, versions }) {
  return versions[test.hears === "X" ? test.x : test.hears];
}
