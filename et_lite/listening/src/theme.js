// Light or dark as the page around is: every front end marks it in its own way, and all paint it.

/** Whether the ground under `element` is dark. */
export function onDark(element) {
  for (let at = element; at; at = at.parentElement) {
    const numbers = getComputedStyle(at).backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [];
    const [red, green, blue, alpha = 1] = numbers;
    if (numbers.length && alpha > 0.5) return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
  }
  return false;
}

/** Keep `data-theme` of `host` as its ground is. */
export function followTheme(host) {
  const look = () => (host.dataset.ground = onDark(host.parentElement) ? "dark" : "light");
  const watcher = new MutationObserver(look);
  for (const marked of [document.documentElement, document.body]) {
    watcher.observe(marked, { attributes: true });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", look);
  look();
}
