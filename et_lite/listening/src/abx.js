// A blind test: X is A or B, hidden; can the listener tell which? (ITU-R BS.1116; book: intro)
// A test is a value: { x: "A" or "B", right, answers }.

/** The chance of at least `right` right answers out of `answers` by guessing, P(S >= right). */
export function chanceOf(right, answers) {
  let term = 0.5 ** answers; // C(n, n) / 2^n, then downwards
  let sum = 0;
  for (let k = answers; k >= right; k--) {
    sum += term;
    term *= k / (answers - k + 1);
  }
  return Math.min(1, sum);
}

/** A new test; `random` gives a number in [0, 1). */
export const newTest = (random) => ({ x: hidden(random), right: 0, answers: 0 });

/** The test after the guess that X is `guess`, with a new X. */
export function answered(test, guess, random) {
  return {
    x: hidden(random),
    right: test.right + (guess === test.x ? 1 : 0),
    answers: test.answers + 1,
  };
}

/** The score in words. */
export function scoreOf({ right, answers }) {
  if (!answers) return "No answer yet.";
  const chance = chanceOf(right, answers);
  const shown = chance < 0.001 ? "p < 0.001" : `p = ${chance.toFixed(3)}`;
  return `${right} of ${answers} right, ${shown}`;
}

/** A fair number in [0, 1): the page's own random numbers can be guessed from each other. */
export const fair = () => crypto.getRandomValues(new Uint32Array(1))[0] / 2 ** 32;

const hidden = (random) => (random() < 0.5 ? "A" : "B");
