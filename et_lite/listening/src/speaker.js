// The page's loudspeaker: one audio context a sample rate, and one widget that sounds.
import { Player } from "./player.js";

const contexts = new Map();
let silence = null; // what stops the widget that sounds now
let owner = null;

/** A player at `rate` hertz, so that samples pass as they are; at the device's where it refuses. */
export function playerFor(rate) {
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
export function soundsNow(stop, who) {
  if (owner !== who) silence?.();
  [silence, owner] = [stop, who];
}
