// Which frames are kept, and how wrong the guesses of the others are (book: chunking).
// A frame's offset is 0 where it is kept, and k where it is the k-th guess after a kept one.

/** Offsets of T frames of which `kept` stay: the first T - kept of the removal order are gone. */
export function offsetsOfOrder(order, frames, kept) {
  const removed = new Set(order.slice(0, frames - kept));
  const offsets = [];
  for (let frame = 0; frame < frames; frame++) {
    offsets.push(removed.has(frame) ? offsets[frame - 1] + 1 : 0);
  }
  return offsets;
}

/** Offsets of T frames of which `kept` evenly spaced ones stay: those at i * T / kept. */
export function offsetsOfUniform(frames, kept) {
  const anchors = new Set(Array.from({ length: kept }, (_, i) => Math.floor((i * frames) / kept)));
  const offsets = [];
  for (let frame = 0; frame < frames; frame++) {
    offsets.push(anchors.has(frame) ? 0 : offsets[frame - 1] + 1);
  }
  return offsets;
}

/** Offsets of T frames from a bit for each, set where it is kept, in base64. */
export function offsetsOfBits(text, frames) {
  const bytes = atob(text);
  const offsets = [];
  for (let frame = 0; frame < frames; frame++) {
    const kept = (bytes.charCodeAt(frame >> 3) >> (7 - (frame & 7))) & 1;
    offsets.push(kept ? 0 : offsets[frame - 1] + 1);
  }
  return offsets;
}

/** The step cost e[a, l] of every frame, from the table's rows joined, `cap` steps each; 0 if kept. */
export function errorsOf(costs, cap, offsets) {
  return offsets.map((step, frame) => (step ? costs[(frame - step) * cap + step - 1] : 0));
}

/** Runs of frames that are not kept, as [first, length]. */
export function droppedSpans(offsets) {
  const spans = [];
  offsets.forEach((offset, frame) => {
    if (offset === 1) spans.push([frame, 1]);
    else if (offset > 1) spans[spans.length - 1][1]++;
  });
  return spans;
}
