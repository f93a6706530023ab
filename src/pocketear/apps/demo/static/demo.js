// demo: a microphone or a file -> MediaPipe's AudioClassifier -> scores, events, charts.
// Nothing about the model is hard-coded: labels, lengths and thresholds come from its card.
import { AudioClassifier, FilesetResolver } from "./tasks-audio/audio_bundle.mjs";
import { BandwidthMeter } from "./bandwidth.js";
import { EventDecoder, WindowBuffer, knownScores } from "./listener.js";
import { Curves, Spectrogram, colour } from "./pictures.js";

const $ = (id) => document.getElementById(id);
const PLAIN = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };

/** Scores and events since a source was started. */
class Session {
  constructor(card, classifier) {
    this.card = card;
    this.classifier = classifier;
    this.buffer = new WindowBuffer(card.window_length, card.listener.hop_length);
    this.decoder = new EventDecoder(card.listener, card.labels, card.sample_rate, card.window_length);
    this.meter = new BandwidthMeter(card.sample_rate, card.listener.quiet_peak ?? 0);
    this.history = []; // {start, scores}: every window
    this.events = []; // in the order in which they were reported
    this.samples = 0;
    this.work = 0; // ms
  }

  get seconds() {
    return this.samples / this.card.sample_rate;
  }

  push(samples) {
    this.samples += samples.length;
    this.meter.push(samples);
    for (const window of this.buffer.push(samples)) this.classify(window);
  }

  finish() {
    const rest = this.buffer.finish();
    if (rest) this.classify(rest);
    this.events.push(...this.decoder.finish());
  }

  classify(window) {
    const { labels, listener } = this.card;
    let scores = knownScores(window, listener.quiet_peak ?? 0, labels.length);
    if (!scores) {
      scores = new Float32Array(labels.length);
      const began = performance.now();
      const [result] = this.classifier.classify(window, this.card.sample_rate);
      this.work += performance.now() - began;
      for (const { index, score } of result.classifications[0].categories) scores[index] = score;
    }
    this.history.push({ start: this.buffer.start, scores });
    this.events.push(...this.decoder.push(scores));
  }
}

class Demo {
  async start() {
    const [card, wasm] = await Promise.all([
      fetch("card.json").then((answer) => answer.json()),
      FilesetResolver.forAudioTasks("tasks-audio/wasm"),
    ]);
    this.card = card;
    this.classifier = await AudioClassifier.createFromOptions(wasm, {
      baseOptions: { modelAssetPath: "model.tflite" },
    });
    this.spectrogram = new Spectrogram($("spectrogram"));
    this.curves = new Curves($("curves"), card);
    this.describe();
    this.controls();
    this.showStatus("Ready.");
  }

  describe() {
    const { card } = this;
    document.title = $("name").textContent = `${card.name} ${card.version}`;
    const [window, hop] = [card.window_length, card.listener.hop_length].map((n) => n / card.sample_rate);
    $("about").textContent = `${card.variant}, windows of ${window} s at ${card.sample_rate} Hz, every ${hop} s`;
    $("span").textContent = `in the last ${this.curves.span} s`;
    this.rows = card.labels.map((label, i) => {
      const row = document.createElement("div");
      row.className = "label";
      row.style.setProperty("--c", colour(i));
      row.innerHTML = '<span class="name"></span><span class="score"></span><span class="bar"><i></i></span>';
      row.querySelector(".name").textContent = label;
      const threshold = card.listener.thresholds[label];
      if (threshold !== undefined) {
        const tick = document.createElement("b");
        tick.style.left = `${100 * Math.min(1, threshold)}%`;
        tick.title = `threshold ${threshold}`;
        row.querySelector(".bar").append(tick);
      }
      $("labels").append(row);
      return row;
    });
  }

  controls() {
    $("microphone").disabled = $("file").disabled = false;
    $("microphone").onclick = () => this.run(() => this.microphone());
    $("stop").onclick = () => this.stop("Stopped.");
    $("file").onchange = () => {
      if ($("file").files[0]) this.run(() => this.file($("file").files[0]));
    };
    document.ondragover = (event) => { event.preventDefault(); document.body.classList.add("over"); };
    document.ondragleave = () => document.body.classList.remove("over");
    document.ondrop = (event) => {
      event.preventDefault();
      document.body.classList.remove("over");
      if (event.dataTransfer.files[0]) this.run(() => this.file(event.dataTransfer.files[0]));
    };
  }

  async run(source) {
    this.stop("");
    this.session = new Session(this.card, this.classifier);
    this.logged = 0;
    $("events").replaceChildren();
    $("quiet").hidden = false;
    this.spectrogram.clear();
    this.context = new AudioContext({ sampleRate: this.card.sample_rate });
    this.analyser = new AnalyserNode(this.context, { fftSize: 1024, smoothingTimeConstant: 0 });
    try {
      await source();
    } catch (error) {
      this.stop("");
      this.showStatus(explain(error), true);
      return;
    }
    $("stop").hidden = false;
    this.frame();
  }

  async microphone() {
    this.stream = await navigator.mediaDevices.getUserMedia({ audio: PLAIN });
    await this.context.audioWorklet.addModule("capture.js");
    const source = this.context.createMediaStreamSource(this.stream);
    const capture = new AudioWorkletNode(this.context, "capture", { numberOfOutputs: 0 });
    const { session } = this;
    capture.port.onmessage = ({ data }) => { if (this.session === session && this.context) session.push(data); };
    source.connect(this.analyser);
    source.connect(capture);
    this.showStatus("Listening to the microphone.");
  }

  async file(file) {
    const sound = await this.context.decodeAudioData(await file.arrayBuffer());
    const samples = mixed(sound);
    const player = new AudioBufferSourceNode(this.context, { buffer: sound });
    player.connect(this.analyser).connect(this.context.destination);
    const began = this.context.currentTime;
    player.start();
    // exactly the samples that were played are classified, up to the playhead
    this.advance = () => {
      const played = Math.round((this.context.currentTime - began) * this.card.sample_rate);
      this.session.push(samples.subarray(this.session.samples, Math.max(played, this.session.samples)));
      if (played >= samples.length) this.stop(`${file.name}: ${sound.duration.toFixed(1)} s processed.`);
    };
    this.showStatus(`Playing ${file.name}, ${sound.duration.toFixed(1)} s.`);
  }

  stop(message) {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.context?.close();
    if (this.context) this.session?.finish();
    this.stream = this.context = this.advance = null;
    $("stop").hidden = true;
    if (message) this.showStatus(message);
    if (this.session) this.show();
  }

  frame() {
    if (!this.context) return;
    this.advance?.();
    if (!this.context) return;
    this.spectrogram.draw(this.analyser, this.context.currentTime);
    this.show();
    requestAnimationFrame(() => this.frame());
  }

  show() {
    const { session } = this;
    this.curves.draw(session);
    this.narrow();
    const means = session.decoder.means;
    if (means) {
      const sounding = new Set(session.decoder.states.filter((s) => s.sounding && s.reported).map((s) => s.index));
      this.rows.forEach((row, i) => {
        row.querySelector("i").style.width = `${100 * means[i]}%`;
        row.querySelector(".score").textContent = means[i].toFixed(2);
        row.classList.toggle("sounding", sounding.has(i));
      });
    }
    for (; this.logged < session.events.length; this.logged += 1) this.log(session.events[this.logged]);
    if (session.work && session.seconds) {
      const each = session.work / session.history.length;
      const hop = (1000 * this.card.listener.hop_length) / this.card.sample_rate;
      $("speed").textContent = `One window takes ${each.toFixed(1)} ms in this browser: ${(hop / each).toFixed(0)} times faster than real time.`;
    }
  }

  /** A line if the source is narrower than what the model was trained on. */
  narrow() {
    const [found, trained] = [this.session.meter.hertz, this.card.bandwidth ?? 0];
    const kilohertz = (hertz) => `${(hertz / 1000).toFixed(1)} kHz`;
    $("narrow").hidden = found === null || found >= trained;
    $("narrow").textContent = $("narrow").hidden ? "" : `This sound holds nothing above ${kilohertz(found)}, and the model was trained on sounds up to ${kilohertz(trained)} and more: do not rely on its scores.`;
  }

  log(event) {
    $("quiet").hidden = true;
    if (event.ended) $("events").querySelector(`li.open[data-label="${CSS.escape(event.label)}"]`)?.remove();
    const row = document.createElement("li");
    row.className = event.ended ? "" : "open";
    row.dataset.label = event.label;
    row.style.setProperty("--c", colour(this.card.labels.indexOf(event.label)));
    const end = event.ended ? `${event.end_s.toFixed(2)} s` : "…";
    row.innerHTML = '<span class="name"></span><span class="time"></span><span class="soft"></span>';
    row.children[0].textContent = event.label;
    row.children[1].textContent = `${event.start_s.toFixed(2)} – ${end}`;
    row.children[2].textContent = event.peak.toFixed(2);
    $("events").prepend(row);
  }

  showStatus(message, wrong = false) {
    $("status").textContent = message;
    $("status").classList.toggle("error", wrong);
  }
}

function mixed(sound) {
  const samples = new Float32Array(sound.length);
  for (let c = 0; c < sound.numberOfChannels; c += 1) {
    sound.getChannelData(c).forEach((sample, i) => { samples[i] += sample / sound.numberOfChannels; });
  }
  return samples;
}

function explain(error) {
  const known = {
    NotAllowedError: "Microphone access was refused: allow it for this page, or drop a sound file.",
    NotFoundError: "No microphone was found: connect one, or drop a sound file.",
    EncodingError: "This file is not sound that the browser can read: convert it to WAV.",
    NotSupportedError: "This browser cannot record at the model's sample rate: use Chromium, or drop a file.",
  };
  return known[error.name] ?? `${error.name}: ${error.message}`;
}

const demo = new Demo();
window.demo = demo; // for tests and the browser's console
demo.start().catch((error) => demo.showStatus(explain(error), true));
