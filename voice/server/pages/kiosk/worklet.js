// Two processors: the microphone brought to the wire's rate, and the assistant's voice played.

const FRAME_MS = 20;
const TAPS = 24;
const BEGIN_MS = 60;
const REPORT_MS = 100;
const FADE_MS = 8;

// Emits { frame: Int16Array of 20 ms, level: 0..1 }. A windowed sinc keeps what the lower rate
// cannot carry from folding back.
class Capture extends AudioWorkletProcessor {
  constructor(options) {
    super();
    this.step = sampleRate / options.processorOptions.rate;
    this.cut = Math.min(1, 1 / this.step);
    this.reach = Math.ceil(TAPS / 2 / this.cut);
    this.kept = new Float32Array(0);
    this.at = this.reach;
    this.frame = new Int16Array((options.processorOptions.rate * FRAME_MS) / 1000);
    this.filled = 0;
    this.open = true;
    this.port.onmessage = () => { this.open = false; };
  }

  process(inputs) {
    const input = inputs[0][0];
    if (!input) return this.open;
    const samples = new Float32Array(this.kept.length + input.length);
    samples.set(this.kept);
    samples.set(input, this.kept.length);
    while (this.at + this.reach < samples.length) {
      this.put(this.sample(samples, this.at));
      this.at += this.step;
    }
    const done = Math.max(0, Math.floor(this.at) - this.reach);
    this.kept = samples.slice(done);
    this.at -= done;
    return this.open;
  }

  sample(samples, at) {
    const first = Math.ceil(at - this.reach);
    let sum = 0;
    for (let i = first; i <= at + this.reach; i++) {
      const x = (i - at) * this.cut;
      const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
      const hann = 0.5 + 0.5 * Math.cos((Math.PI * (i - at)) / (this.reach + 1));
      sum += samples[i] * sinc * hann;
    }
    return sum * this.cut;
  }

  put(value) {
    this.frame[this.filled++] = Math.max(-32768, Math.min(32767, Math.round(value * 32767)));
    if (this.filled < this.frame.length) return;
    let power = 0;
    for (const each of this.frame) power += each * each;
    const decibels = 10 * Math.log10(power / this.frame.length / 32768 ** 2 + 1e-9);
    const level = Math.max(0, Math.min(1, (decibels + 55) / 45));
    this.port.postMessage({ frame: this.frame, level });
    this.frame = new Int16Array(this.frame.length);
    this.filled = 0;
  }
}

// Takes { item, samples: Int16Array }, "end" (nothing more comes for now) and "clear"; tells
// { item, playedMs, cleared, empty, level }.
class Playback extends AudioWorkletProcessor {
  constructor() {
    super();
    this.queue = [];
    this.offset = 0;
    this.waiting = 0;
    this.running = false;
    this.fading = [];
    this.item = "";
    this.played = 0;
    this.told = 0;
    this.open = true;
    this.port.onmessage = ({ data }) => this.take(data);
  }

  take(message) {
    if (message === "end") this.running = this.waiting > 0;
    else if (message === "clear") {
      this.fading = this.running ? this.fade() : [];
      this.queue = [];
      this.offset = this.waiting = 0;
      this.running = false;
      this.tell({ cleared: true });
    } else if (message === "close") this.open = false;
    else {
      this.queue.push(message);
      this.waiting += message.samples.length;
      if (this.waiting >= (BEGIN_MS * sampleRate) / 1000) this.running = true;
    }
  }

  // What would have been played next, falling silent: it does not count as played.
  fade() {
    const count = Math.min(this.waiting, Math.round((FADE_MS * sampleRate) / 1000));
    const next = [];
    for (const { samples } of [{ samples: this.queue[0].samples.slice(this.offset) }, ...this.queue.slice(1)]) {
      if (next.length < count) next.push(...samples.slice(0, count - next.length));
    }
    return next.map((sample, i) => (sample / 32768) * (1 - i / count));
  }

  process(_inputs, outputs) {
    const output = outputs[0][0];
    let peak = 0;
    output.set(this.fading.splice(0, output.length));
    for (let i = 0; this.running && i < output.length; i++) {
      const head = this.queue[0];
      if (head.item !== this.item) {
        this.item = head.item;
        this.played = this.told = 0;
      }
      output[i] = head.samples[this.offset++] / 32768;
      peak = Math.max(peak, Math.abs(output[i]));
      this.played++;
      this.waiting--;
      if (this.offset === head.samples.length) {
        this.queue.shift();
        this.offset = 0;
      }
      if (!this.waiting) {
        this.running = false;
        this.tell({ empty: true });
      }
    }
    if (this.played - this.told >= (REPORT_MS * sampleRate) / 1000) this.tell({ level: peak });
    return this.open;
  }

  tell(more) {
    this.told = this.played;
    const playedMs = Math.round((this.played * 1000) / sampleRate);
    this.port.postMessage({ item: this.item, playedMs, ...more });
  }
}

registerProcessor("capture", Capture);
registerProcessor("playback", Playback);
