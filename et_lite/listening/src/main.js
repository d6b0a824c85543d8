// The script's one door: `ElasticListening`. Safe to run more than once on a page.
import CSS from "./listening.css";
import { byElement, byScript, deliver, take } from "./payload.js";
import { chanceOf, answered, newTest, scoreOf } from "./abx.js";
import { errorsOf, offsetsOfOrder, offsetsOfUniform } from "./selection.js";
import { levelAt, looped, nearest, wrapped } from "./maths.js";
import { attachTo } from "./kernel.js";
import { Player } from "./player.js";
import { glidingClock } from "./clock.js";
import { followTheme } from "./theme.js";
import { live } from "./widget.js";
import { playground } from "./playground.js";
import { markup } from "./view.js";
import { playgroundMarkup } from "./playground_view.js";

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
