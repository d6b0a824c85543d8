// Which of a clip's versions is meant. A version is { name, kind, kept, gain }.
import { nearest } from "./maths.js";

/** The version of a kind; of those with fewer frames the one nearest to `kept` frames. */
export function versionOf(card, kind, kept) {
  if (kind === "original" || kind === "ceiling") {
    return card.versions.find((version) => version.kind === kind);
  }
  // Where every frame is kept there is nothing to choose: that version is everybody's.
  const own = card.versions.filter((version) => version.kind === kind || version.kept === card.frames);
  return nearest(own, kept, (version) => version.kept);
}

/** The next kept length with a rendered version, above (1) or below (-1). */
export function stopBeside(card, kept, step) {
  const stops = card.versions.filter(({ kind }) => kind === "elastic").map((version) => version.kept);
  const further = stops.filter((stop) => (stop - kept) * step > 0);
  return further.length ? nearest(further, kept, (stop) => stop) : kept;
}

/** All but the baseline in the order in which they will be wanted: it is asked for by name. */
export function inOrder(card, kept) {
  const rank = ({ kind, kept: own }) => (kind === "elastic" ? Math.abs(own - kept) / card.frames : 0.1);
  return card.versions.filter(({ kind }) => kind !== "uniform").sort((a, b) => rank(a) - rank(b));
}

/** The name under which a version's sound travels. */
export const keyOf = (card, version) => `${card.key}/${version.name}`;
