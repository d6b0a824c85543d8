// The audio clock as the eye wants it: it ticks in blocks of samples, a playhead glides.

/** A function of the page's time in milliseconds that gives the time of `context` in seconds. */
export function glidingClock(context) {
  let offset = null;
  return (milliseconds) => {
    const page = milliseconds / 1000;
    const drift = context.currentTime - page - offset;
    // Follow slowly what the blocks scatter, and at once what a sleeping page missed.
    offset = offset === null || Math.abs(drift) > 0.25 ? context.currentTime - page : offset + drift / 50;
    return page + offset;
  };
}
