// The audio clock as the eye wants it: it ticks in blocks of samples, a playhead glides.
import { clamp } from "./maths.js";

const MOST = 0.015; // seconds that the playhead is moved at once to follow the sound

/** A function of the page's time in milliseconds that gives the time of `context` in seconds. */
export function glidingClock(context, begin) {
  let offset = context.currentTime - begin / 1000;
  return (milliseconds) => {
    const page = milliseconds / 1000;
    const drift = context.currentTime - page - offset;
    offset += clamp(drift / 20, -MOST, MOST);
    return page + offset;
  };
}
