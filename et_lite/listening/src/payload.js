// Sounds come when they are wanted, as scripts: a page opened from a folder may not fetch.

const arrived = new Map(); // key -> promise of { bytes, picture }
const handOver = new Map(); // key -> what settles that promise
const decoded = new WeakMap(); // context -> Map of key -> promise of { buffer, picture }

/** Called by a payload's script: a FLAC file and a PNG picture, both in base64. */
export function deliver(key, flac, picture) {
  const bytes = Uint8Array.from(atob(flac), (letter) => letter.charCodeAt(0));
  take(key, { bytes, picture });
}

/** What was sent for a key, as bytes. */
export function take(key, payload) {
  if (handOver.has(key)) handOver.get(key).resolve(payload);
  else arrived.set(key, Promise.resolve(payload));
  handOver.delete(key);
}

/** The sound and picture of `key`, decoded; `fetcher(key)` makes it come. */
export function soundOf(context, key, fetcher) {
  if (!decoded.has(context)) decoded.set(context, new Map());
  const known = decoded.get(context);
  if (!known.has(key)) {
    const wanted = payloadOf(key, fetcher).then(async ({ bytes, picture }) => ({
      buffer: await context.decodeAudioData(bytes.slice().buffer), // which takes the bytes away
      picture,
    }));
    wanted.catch(() => known.delete(key)); // to be tried again
    known.set(key, wanted);
  }
  return known.get(key);
}

function payloadOf(key, fetcher) {
  if (!arrived.has(key)) {
    arrived.set(
      key,
      new Promise((resolve, reject) => {
        const fail = (reason) => {
          arrived.delete(key);
          handOver.delete(key);
          reject(new Error(reason));
        };
        handOver.set(key, { resolve });
        fetcher(key, fail);
      }),
    );
  }
  return arrived.get(key);
}

/** A fetcher that adds the script `base` + key + ".js", which calls `deliver`. */
export function byScript(base) {
  return (key, fail) => {
    const script = document.createElement("script");
    script.src = `${base}${key}.js`;
    script.onerror = () => fail(`${key}.js did not load`);
    script.onload = () => script.remove();
    document.head.append(script);
  };
}

/** A fetcher that reads the page itself: audio elements that hold their sound. */
export function byElement(host) {
  return (key, fail) => {
    const audio = [...host.querySelectorAll("audio")].find((found) => found.dataset.key === key);
    if (!audio) return fail(`${key} is not in the page`);
    deliver(key, audio.getAttribute("src").split(",")[1], audio.dataset.picture);
  };
}
