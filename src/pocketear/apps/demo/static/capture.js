// capture: an audio worklet that passes mono samples to the page in blocks, off the page's thread.
const BLOCK = 1024;

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Float32Array(BLOCK);
    this.count = 0;
  }

  process([input]) {
    if (!input.length) return true;
    for (let i = 0; i < input[0].length; i += 1) {
      let sum = 0;
      for (const channel of input) sum += channel[i];
      this.block[this.count] = sum / input.length;
      this.count += 1;
      if (this.count === BLOCK) {
        this.port.postMessage(this.block, [this.block.buffer]);
        this.block = new Float32Array(BLOCK);
        this.count = 0;
      }
    }
    return true;
  }
}

registerProcessor("capture", Capture);
