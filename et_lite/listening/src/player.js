// One playhead for all versions of a clip. Every change (another version, another level, a seek, a
// loop) is the same thing: a new voice comes in while all others go out, on the context's clock.
import { FADE, levelAt, looped, wrapped } from "./maths.js";

const LEAD = 0.05; // seconds: a busy page may be that late, and what starts late clicks

export class Player {
  constructor(context) {
    this.context = context;
    this.output = context.createGain(); // all that is heard passes here: a test listens to it
    this.output.connect(context.destination);
    this.voices = []; // the last one stays, the others are fading
    this.sound = null; // { buffer, level }
    this.loop = null; // { start, end } in samples of the context
    this.playing = false;
    this.anchor = { time: 0, sample: 0 }; // this sample sounds at this time
    this.onended = () => {};
  }

  /** The sample that sounds at a time of the context. */
  sampleAt(time) {
    const { anchor, playing, context } = this;
    const sample = anchor.sample + (playing ? (time - anchor.time) * context.sampleRate : 0);
    return Math.max(0, wrapped(sample, this.loop));
  }

  /** Another version or level from here on, at the very sample where the old one is. */
  set(sound) {
    this.sound = sound;
    if (this.playing) this.enter(this.soon());
  }

  play() {
    if (this.playing || !this.sound) return;
    const when = this.soon();
    this.anchor = { time: when, sample: wrapped(this.anchor.sample, this.loop) };
    this.playing = true;
    this.enter(when);
  }

  pause() {
    if (!this.playing) return;
    const when = this.soon();
    this.anchor = { time: when, sample: Math.round(this.sampleAt(when)) };
    this.playing = false;
    this.leave(when);
  }

  /** Go on from a sample. */
  seek(sample) {
    const when = this.soon();
    this.anchor = { time: when, sample: wrapped(Math.round(sample), this.loop) };
    if (this.playing) this.enter(when);
  }

  /** Play a stretch { start, end } again and again, or null for no loop. */
  setLoop(loop) {
    const when = this.soon();
    const sample = Math.round(this.sampleAt(when));
    this.loop = loop;
    const inside = !loop || (sample >= loop.start && sample < loop.end);
    this.anchor = { time: when, sample: inside ? sample : loop.start };
    if (this.playing) this.enter(when);
  }

  /** A time that the audio thread has not reached, on a whole sample. */
  soon() {
    const { currentTime, baseLatency, sampleRate } = this.context;
    const lead = LEAD + (baseLatency || 0);
    return Math.ceil((currentTime + lead) * sampleRate) / sampleRate;
  }

  enter(when) {
    this.leave(when);
    const { context, loop, sound } = this;
    const source = context.createBufferSource();
    source.buffer = loop ? circle(context, sound.buffer, loop) : sound.buffer;
    source.loop = Boolean(loop);
    const gain = context.createGain();
    source.connect(gain).connect(this.output);
    const voice = { source, gain, line: { time: when, from: 0, to: sound.level } };
    gain.gain.value = 0;
    gain.gain.setValueAtTime(0, when);
    gain.gain.linearRampToValueAtTime(sound.level, when + FADE);
    source.start(when, (Math.round(this.sampleAt(when)) - (loop ? loop.start : 0)) / context.sampleRate);
    source.onended = () => this.gone(voice);
    this.voices.push(voice);
  }

  // Every voice, not only the last: ramps that began at different times would not add up to one.
  leave(when) {
    for (const voice of this.voices) {
      const level = levelAt(voice.line, when);
      voice.gain.gain.cancelScheduledValues(when);
      voice.gain.gain.linearRampToValueAtTime(level, when); // the line it was on, up to here
      voice.gain.gain.linearRampToValueAtTime(0, when + FADE);
      voice.source.stop(when + FADE);
      voice.line = { time: when, from: level, to: 0 };
    }
  }

  gone(voice) {
    voice.gain.disconnect();
    const last = this.voices[this.voices.length - 1] === voice;
    this.voices = this.voices.filter((other) => other !== voice);
    if (last && this.playing) {
      this.playing = false; // the clip's end
      this.anchor = { time: 0, sample: 0 };
      this.onended();
    }
  }
}

const circles = new WeakMap(); // of each buffer the last loop that was made

function circle(context, buffer, loop) {
  const made = circles.get(buffer);
  if (made && made.start === loop.start && made.end === loop.end) return made.piece;
  const fade = Math.round(FADE * buffer.sampleRate);
  const piece = context.createBuffer(buffer.numberOfChannels, loop.end - loop.start, buffer.sampleRate);
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    piece.copyToChannel(looped(buffer.getChannelData(channel), loop, fade), channel);
  }
  circles.set(buffer, { ...loop, piece });
  return piece;
}
