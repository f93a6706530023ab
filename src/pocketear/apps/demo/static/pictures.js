// pictures: a scrolling spectrogram, and scores with events, on two canvases with the same time scale.
const SPAN = 12; // s across a canvas
const HUES = [[220, 65], [33, 85], [150, 55], [265, 55], [3, 65], [190, 60], [320, 55], [80, 55], [50, 70], [240, 25]];
const MAGMA = [[0, 0, 4], [59, 15, 112], [140, 41, 129], [222, 73, 104], [254, 159, 109], [252, 253, 191]];
const QUIET_DB = -100, LOUD_DB = -25;

/** The colour of label `i`, readable in light and dark. */
export function colour(i) {
  const [hue, strength] = HUES[i % HUES.length];
  return `hsl(${hue} ${strength}% 54%)`;
}

function sharpen(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  if (canvas.width !== width) {
    canvas.height = Math.round(canvas.clientHeight * ratio);
    canvas.width = width;
  }
  return canvas.getContext("2d", { willReadFrequently: false });
}

export class Spectrogram {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = sharpen(canvas);
    this.clear();
  }

  clear() {
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.drawn = 0; // px since the start
  }

  /** Scroll to `seconds` and draw the current spectrum at the right edge, low frequencies at the bottom. */
  draw(analyser, seconds) {
    const { canvas, context } = this;
    const until = Math.round((seconds * canvas.width) / SPAN);
    const fresh = Math.min(until - this.drawn, canvas.width);
    if (fresh <= 0) return;
    this.drawn = until;
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(bins);
    context.drawImage(canvas, -fresh, 0);
    const column = context.createImageData(fresh, canvas.height);
    for (let y = 0; y < canvas.height; y += 1) {
      const height = 1 - y / canvas.height;
      const level = bins[Math.floor(height ** 1.7 * (bins.length - 1))]; // more room for low frequencies
      const share = Math.min(1, Math.max(0, (level - QUIET_DB) / (LOUD_DB - QUIET_DB)));
      const place = Math.min(MAGMA.length - 2, Math.floor(share * (MAGMA.length - 1)));
      const part = share * (MAGMA.length - 1) - place;
      for (let x = 0; x < fresh; x += 1) {
        const at = 4 * (y * fresh + x);
        for (let c = 0; c < 3; c += 1) {
          column.data[at + c] = MAGMA[place][c] + part * (MAGMA[place + 1][c] - MAGMA[place][c]);
        }
        column.data[at + 3] = 255;
      }
    }
    context.putImageData(column, canvas.width - fresh, 0);
  }
}

export class Curves {
  constructor(canvas, card) {
    this.canvas = canvas;
    this.card = card;
    this.span = SPAN;
  }

  /** The scores of each window at its middle, thresholds dashed, events as bars below. */
  draw(session) {
    const context = sharpen(this.canvas);
    const { width, height } = this.canvas;
    const { card } = this;
    const unit = window.devicePixelRatio || 1;
    const [top, bottom] = [8 * unit, height - 26 * unit];
    const x = (seconds) => width * (1 + (seconds - session.seconds) / SPAN);
    const y = (score) => bottom - score * (bottom - top);
    const middle = card.window_length / 2;
    const first = session.seconds - SPAN - 2;
    const shown = session.history.filter(({ start }) => (start + middle) / card.sample_rate > first);
    context.clearRect(0, 0, width, height);
    context.lineJoin = "round";
    card.labels.forEach((label, i) => {
      context.strokeStyle = colour(i);
      const threshold = card.listener.thresholds[label];
      if (threshold !== undefined && threshold < 1) {
        context.globalAlpha = 0.35;
        context.lineWidth = unit;
        context.setLineDash([4 * unit, 4 * unit]);
        context.beginPath();
        context.moveTo(0, y(threshold));
        context.lineTo(width, y(threshold));
        context.stroke();
        context.setLineDash([]);
        context.globalAlpha = 1;
      }
      context.lineWidth = 2 * unit;
      context.beginPath();
      for (const { start, scores } of shown) context.lineTo(x((start + middle) / card.sample_rate), y(scores[i]));
      context.stroke();
    });
    for (const event of open(session.events)) {
      const right = event.ended ? event.end_s : Math.max(event.end_s, session.seconds - middle / card.sample_rate);
      context.fillStyle = colour(card.labels.indexOf(event.label));
      context.fillRect(x(event.start_s), height - 18 * unit, x(right) - x(event.start_s), 10 * unit);
    }
  }
}

/** Each event once. Events are reported twice, and the later report replaces the earlier one. */
function open(events) {
  const last = new Map();
  for (const event of events) last.set(`${event.label} ${event.start_s}`, event);
  return last.values();
}
