// The microphone and the loudspeaker: frames out, frames in.

export const RATE = 16000;
const WORKLET = "/kiosk/worklet.js";

export class Microphone {
  // Throws what getUserMedia throws.
  static async open(onFrame) {
    if (!navigator.mediaDevices) throw new DOMException("no secure context", "SecurityError");
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
    });
    const context = new AudioContext();
    try {
      await context.audioWorklet.addModule(WORKLET);
      await context.resume();
    } catch (error) {
      for (const track of stream.getTracks()) track.stop();
      throw error;
    }
    const node = new AudioWorkletNode(context, "capture", { processorOptions: { rate: RATE } });
    node.port.onmessage = ({ data }) => onFrame(data.frame, data.level);
    context.createMediaStreamSource(stream).connect(node).connect(context.destination);
    return new Microphone(stream, context, node);
  }

  constructor(stream, context, node) {
    this.stream = stream;
    this.context = context;
    this.node = node;
  }

  onLost(tell) {
    for (const track of this.stream.getTracks()) track.addEventListener("ended", tell);
  }

  close() {
    this.node.port.onmessage = null;
    this.node.port.postMessage("close");
    for (const track of this.stream.getTracks()) track.stop();
    this.context.close();
  }
}

export class Loudspeaker {
  // onPlayed(item, milliseconds, cleared) tells what was really heard.
  static async open(onPlayed) {
    const context = new AudioContext({ sampleRate: RATE });
    await context.audioWorklet.addModule(WORKLET);
    await context.resume();
    const node = new AudioWorkletNode(context, "playback", { numberOfInputs: 0, outputChannelCount: [1] });
    node.connect(context.destination);
    return new Loudspeaker(context, node, onPlayed);
  }

  constructor(context, node, onPlayed) {
    this.context = context;
    this.node = node;
    this.idle = true;
    this.whenIdle = null;
    node.port.onmessage = ({ data }) => {
      const late = 1000 * (context.outputLatency || 0);
      if (data.item) onPlayed(data.item, Math.max(0, Math.round(data.playedMs - late)), Boolean(data.cleared));
      if (data.empty || data.cleared) {
        this.idle = true;
        this.whenIdle?.();
      }
    };
  }

  play(item, base64) {
    const bytes = Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));
    this.idle = false;
    this.node.port.postMessage({ item, samples: new Int16Array(bytes.buffer) });
  }

  end() { this.node.port.postMessage("end"); }

  clear() { this.node.port.postMessage("clear"); }

  drained(longestMs) {
    if (this.idle) return Promise.resolve();
    return new Promise((done) => {
      this.whenIdle = done;
      setTimeout(done, longestMs);
    });
  }

  close() {
    this.node.port.postMessage("close");
    this.node.port.onmessage = null;
    this.context.close();
  }
}

export function base64Of(frame) {
  return btoa(String.fromCharCode(...new Uint8Array(frame.buffer)));
}
