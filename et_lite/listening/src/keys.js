// Keys while anything in the widget has the focus.

const KEYS = {
  " ": "play",
  ArrowLeft: "stop-before",
  ArrowRight: "stop-after",
  r: "voice-original",
  a: "voice-ceiling",
  b: "voice-uniform",
  g: "matched",
  l: "loop",
  "[": "loop-from",
  "]": "loop-to",
  x: "blind",
};
const TEST_KEYS = { " ": "play", l: "loop", x: "blind", Escape: "blind", 1: "hear-A", 2: "hear-B", 3: "hear-X" };

/** What a key press means, or undefined. `target` is the focused element, `testing` a blind test. */
export function meaningOf(event, target, testing) {
  if (event.ctrlKey || event.altKey || event.metaKey) return undefined;
  const own = target.tagName;
  // What the browser does with a key on the focused control comes first.
  if (event.key === " " && ["BUTTON", "SELECT", "SUMMARY", "A"].includes(own)) return undefined;
  if (event.key.startsWith("Arrow") && (own === "SELECT" || target.className === "position")) return undefined;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return (testing ? TEST_KEYS : KEYS)[key];
}
