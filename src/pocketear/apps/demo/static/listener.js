// listener: src/pocketear/listening/listener.py in JavaScript, checked against it by mobile/vectors, bit for bit.
// A window is a Float32Array; sums and comparisons are in float32 (Math.fround), times in float64.

/** A stream cut into windows. */
export class WindowBuffer {
  constructor(windowLength, hopLength) {
    this.held = new Float32Array(windowLength);
    this.hop = hopLength;
    this.count = 0;
    this.whole = false; // whether a window was completed since the start or the last gap
    this.start = 0;
  }

  /** Take samples; yield each window as it fills up. A window is valid until the next. */
  *push(samples) {
    while (samples.length) {
      const taken = samples.subarray(0, this.held.length - this.count);
      this.held.set(taken, this.count);
      this.count += taken.length;
      samples = samples.subarray(taken.length);
      if (this.count === this.held.length) {
        this.whole = true;
        yield this.held;
        this.held.copyWithin(0, this.hop);
        this.count -= this.hop;
        this.start += this.hop;
      }
    }
  }

  /** `count` samples of the stream are lost: no window spans them. */
  skip(count) {
    this.start += this.count + count;
    this.count = 0;
    this.whole = false;
  }

  /** The window of a stream shorter than a window, zero-padded at its end; else nothing. */
  finish() {
    if (this.whole || this.count === 0) return null;
    this.held.fill(0, this.count);
    return this.held;
  }
}

/**
 * The scores of a window that is not put to the model: 0 if no sample is beyond +-quietPeak, in float32, and NaN
 * if one is not finite. Null if the model is to be run.
 */
export function knownScores(window, quietPeak, labels) {
  const peak = Math.fround(quietPeak);
  if (!window.every(Number.isFinite)) return new Float32Array(labels).fill(NaN);
  return window.every((sample) => Math.abs(sample) <= peak) ? new Float32Array(labels) : null;
}

/** Scores of successive windows -> events {label, start_s, end_s, peak, ended}. */
export class EventDecoder {
  constructor(settings, labels, sampleRate, windowLength) {
    const sounding = labels.filter((label) => !settings.background.includes(label));
    const known = Object.keys(settings.thresholds);
    const differ = [...sounding.filter((l) => !known.includes(l)), ...known.filter((l) => !sounding.includes(l))];
    if (differ.length) throw new Error(`listener: labels and thresholds differ in ${differ.sort()}`);
    this.labels = labels;
    this.rate = sampleRate;
    this.hop = settings.hop_length;
    this.middle = Math.floor((windowLength - settings.hop_length) / 2);
    this.history = Array.from({ length: settings.smoothing }, () => new Float32Array(labels.length));
    this.seen = 0;
    this.next = 0; // where the next window starts, in samples
    this.minSamples = Math.trunc(settings.min_seconds * sampleRate + 0.5);
    this.refractory = Math.trunc(settings.refractory_seconds * sampleRate + 0.5);
    const hysteresis = Math.fround(settings.hysteresis);
    this.states = sounding.map((label) => {
      const on = Math.fround(settings.thresholds[label]);
      return {
        index: labels.indexOf(label), on, off: Math.fround(on - hysteresis),
        sounding: false, reported: false, start: 0, end: 0, ready: 0, peak: 0,
      };
    });
    this.ignored = 0; // windows whose scores were not all numbers
  }

  /** Take the scores of the next window; return the events to report now. */
  push(scores) {
    if (scores.length !== this.labels.length) {
      throw new Error(`listener: ${scores.length} scores for ${this.labels.length} labels`);
    }
    const start = this.next + this.middle;
    this.next += this.hop;
    if (!scores.every(Number.isFinite)) {
      this.ignored += 1;
      return this.endAll();
    }
    this.means = this.smooth(scores);
    return this.states.map((state) => this.step(state, start)).filter(Boolean);
  }

  /** The stream was interrupted; its next window starts at sample `start`. */
  gap(start) {
    this.next = start;
    return this.endAll();
  }

  /** The stream is over. */
  finish() {
    return this.endAll();
  }

  smooth(scores) {
    const size = this.history.length;
    this.history[this.seen % size].set(scores);
    this.seen += 1;
    const count = Math.min(this.seen, size);
    const total = new Float32Array(scores.length); // stores round to float32
    for (let row = this.seen - count; row < this.seen; row += 1) {
      this.history[row % size].forEach((score, i) => { total[i] += score; });
    }
    return total.map((sum) => sum / count);
  }

  step(state, start) {
    const mean = this.means[state.index];
    if (!state.sounding) {
      if (mean < state.on || start < state.ready) return null;
      Object.assign(state, { sounding: true, reported: false, start, peak: 0 });
    } else if (mean < state.off) {
      return this.end(state);
    }
    state.end = start + this.hop;
    state.peak = Math.max(state.peak, mean);
    if (state.reported || state.end - state.start < this.minSamples) return null;
    state.reported = true;
    return this.event(state, false);
  }

  endAll() {
    this.seen = 0;
    return this.states.filter((state) => state.sounding).map((state) => this.end(state)).filter(Boolean);
  }

  end(state) {
    state.sounding = false;
    if (!state.reported) return null;
    state.ready = state.end + this.refractory;
    return this.event(state, true);
  }

  event(state, ended) {
    return {
      label: this.labels[state.index],
      start_s: state.start / this.rate,
      end_s: state.end / this.rate,
      peak: state.peak,
      ended,
    };
  }
}
