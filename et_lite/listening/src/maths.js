// Numbers alone: no page and no sound.

export const FADE = 0.018; // seconds of a crossfade

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

export const gainOf = (decibels) => 10 ** (decibels / 20);

/** The entry of `list` whose `measure` is nearest to `value`; of two equally near, the larger. */
export function nearest(list, value, measure) {
  const distance = (entry) => Math.abs(measure(entry) - value);
  return list.reduce((best, entry) => {
    const closer = distance(entry) - distance(best);
    return closer < 0 || (closer === 0 && measure(entry) > measure(best)) ? entry : best;
  });
}

/** Where a straight line stands at `time` that goes `from` one level `to` another in FADE seconds. */
export function levelAt(line, time) {
  return line.from + (line.to - line.from) * clamp((time - line.time) / FADE, 0, 1);
}

/** The sample that sounds when `sample` would without the loop: from `end` it goes on at `start`. */
export function wrapped(sample, loop) {
  if (!loop || sample < loop.end) return loop ? Math.max(sample, loop.start) : sample;
  return loop.start + ((sample - loop.start) % (loop.end - loop.start));
}

/**
 * The samples of a loop, so that playing them in a circle makes no click: the last `fade` samples
 * turn into those before the start. Where there are not so many, both ends fade instead.
 */
export function looped(samples, loop, fade) {
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
export function clock(seconds) {
  const tenths = Math.floor(seconds * 10 + 1e-6);
  const rest = (tenths % 600) / 10;
  return `${Math.floor(tenths / 600)}:${rest < 10 ? "0" : ""}${rest.toFixed(1)}`;
}
