// The plot under the pointer: a click seeks, a drag marks the stretch to loop.
import { clamp } from "./maths.js";

const DRAG = 6; // pixels from which a press is a drag

/** Call `seek(share)` on a click and `mark(from, to)` on a drag, in shares of the plot's width. */
export function followPointer(plot, { seek, mark }) {
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
