// The widget with a kernel behind it (anywidget): sounds are asked for, and any kept length too.
import { take } from "./payload.js";
import { versionOf } from "./versions.js";

const REST = 250; // milliseconds without a move before the kernel is asked to render

/** Put the widget into `el`; `mount` makes it and `model` carries the messages. */
export function attachTo({ model, el }, mount) {
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
