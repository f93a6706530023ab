// bandwidth: src/pocketear/data/decoding/bandwidth.py in JavaScript, checked against it by mobile/vectors.

const SIZE = 2048;
// bandwidth.py says why
const [BAND, LOWEST, BELOW, ABOVE, EDGE_DB, OWN_FILTER, LEAST_POWER] = [100, 1000, 0.8, 1.15, 15, 0.8, 1e-14];

/** Up to which frequency a source holds sound, from its first seconds that are not quiet. */
export class BandwidthMeter {
  constructor(sampleRate, quietPeak, seconds = 10) {
    this.rate = sampleRate;
    this.quietPeak = Math.fround(quietPeak);
    this.block = new Float32Array(SIZE);
    this.count = 0;
    this.left = Math.ceil((seconds * sampleRate) / SIZE); // blocks
    this.sum = new Float64Array(SIZE / 2 + 1);
    this.blocks = 0;
    this.hertz = null; // until it is known; half of the rate where the sound does not end before
  }

  /** Take samples, full scale 1. */
  push(samples) {
    while (this.left && samples.length) {
      const taken = samples.subarray(0, SIZE - this.count);
      this.block.set(taken, this.count);
      this.count += taken.length;
      samples = samples.subarray(taken.length);
      if (this.count === SIZE) this.take();
    }
  }

  take() {
    this.count = 0;
    if (this.block.every((sample) => Math.abs(sample) <= this.quietPeak)) return;
    powerOf(this.block).forEach((power, bin) => { this.sum[bin] += power; });
    this.blocks += 1;
    this.left -= 1;
    if (!this.left) this.hertz = cutoff(this.sum.map((sum) => sum / this.blocks), this.rate);
  }
}

const HANN = Float64Array.from({ length: SIZE }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / SIZE));

/** The power spectrum of a block, a sine of full scale = 1/4: Cooley and Tukey's FFT, radix 2. */
function powerOf(block) {
  const [re, im] = [new Float64Array(SIZE), new Float64Array(SIZE)];
  for (let i = 0, to = 0; i < SIZE; i += 1) {
    re[to] = block[i] * HANN[i];
    let bit = SIZE >> 1;
    for (; to & bit; bit >>= 1) to ^= bit; // counts up from the highest bit
    to |= bit;
  }
  for (let span = 1; span < SIZE; span *= 2) {
    for (let i = 0; i < span; i += 1) {
      const [cos, sin] = [Math.cos((Math.PI * i) / span), Math.sin((Math.PI * i) / span)];
      for (let low = i; low < SIZE; low += 2 * span) {
        const high = low + span;
        const [x, y] = [re[high] * cos + im[high] * sin, im[high] * cos - re[high] * sin];
        [re[high], im[high]] = [re[low] - x, im[low] - y];
        re[low] += x;
        im[low] += y;
      }
    }
  }
  const scale = (SIZE / 2) ** 2; // the square of the window's sum
  return re.subarray(0, SIZE / 2 + 1).map((x, bin) => (x * x + im[bin] * im[bin]) / scale);
}

/** The frequency of the steepest edge behind which nothing comes back, in Hz; half of the rate without one. */
function cutoff(power, sampleRate) {
  const nyquist = sampleRate / 2;
  const bins = Math.max(1, Math.round((BAND / nyquist) * (power.length - 1)));
  const width = (bins * nyquist) / (power.length - 1);
  const level = levels(power, bins);
  const loudestFrom = [...level, Infinity];
  for (let i = level.length - 2; i >= 0; i -= 1) loudestFrom[i] = Math.max(level[i], loudestFrom[i + 1]);
  let steepest = { drop: -Infinity };
  for (let edge = 1; edge <= level.length; edge += 1) { // behind so many bands
    if (edge * width < LOWEST) continue;
    const before = level.slice(Math.floor(edge * BELOW), edge);
    const behind = Math.min(Math.ceil(edge * ABOVE), level.length);
    const filled = before.reduce((sum, db) => sum + db, 0) / before.length;
    const drop = filled - loudestFrom[behind];
    if (drop > steepest.drop) steepest = { drop, filled, behind };
  }
  if (steepest.drop < EDGE_DB) return nyquist;
  const last = level.slice(0, steepest.behind).findLastIndex((db) => db >= steepest.filled - EDGE_DB / 2);
  const found = (last + 1) * width;
  return found < OWN_FILTER * nyquist ? found : nyquist;
}

/** The median of the bins in each band, in dB. */
function levels(power, bins) {
  return Array.from({ length: Math.floor((power.length - 1) / bins) }, (_, band) => {
    const sorted = power.slice(1 + band * bins, 1 + (band + 1) * bins).sort();
    const median = (sorted[Math.floor((bins - 1) / 2)] + sorted[Math.floor(bins / 2)]) / 2;
    return 10 * Math.log10(Math.max(median, LEAST_POWER));
  });
}
