// The kiosk's screens, and one session over the Realtime protocol. Nothing is stored: what a
// session knew is gone when it ends.

import { Loudspeaker, Microphone, RATE, base64Of } from "/kiosk/sound.js";

const SIZES = 4;
const TAP_MS = 350;
const TAIL_MS = 80;
const GOODBYE_MS = 4000;
const DESERTED_S = 10;
const ASK_MS = 5000;
const MOST_UNANSWERED = 2;
const BLOCKED = "The microphone is blocked; allow it for this page, then press Start again.";
const NO_MICROPHONE = "No microphone was found; connect one, then press Start again.";
const NOT_SECURE = "The microphone works only over HTTPS or on this device's own address.";
const MICROPHONE_LOST = "The microphone was disconnected; connect it, then press Start again.";
const LOST = "The connection was lost; press Start to begin again.";
const UNREACHABLE = "The assistant cannot be reached right now; please try again in a minute.";
const NO_KEY = "This kiosk is not set up: its key is missing or wrong.";
const NOTHING_HEARD = "I heard nothing; hold the button while you speak.";

const html = document.documentElement;
const at = (id) => document.getElementById(id);
const STATES = {
  connecting: ["Connecting…", "One moment"],
  listening: ["Listening", "Tap when you have finished"],
  thinking: ["Thinking", "One moment"],
  speaking: ["Speaking", "Tap to interrupt"],
};
const HELD = { listening: ["Ready", "Hold to talk"], held: ["Listening", "Let go when you have finished"] };
const HANDS = {
  waiting: "A person is being called; please wait here.",
  agent: "A person from our team is with you.",
};
const NAMES = { caller: "You", assistant: "Assistant", agent: "A person from our team" };

let about = { company: "", consent: null, pace: { lowest: 0.85, highest: 1.15 }, idle_s: 30 };
let session = null;
let idleTimer = 0;

// --- screens -----------------------------------------------------------------------------------

function show(screen, focus) {
  html.dataset.screen = screen;
  for (const each of document.querySelectorAll(".screen")) each.hidden = each.id !== screen;
  at(focus ?? `${screen}-title`).focus();
  restartIdle();
}

function say(text) { at("message").textContent = text; }

function announce(text) { at("announce").textContent = text; }

function reset() {
  wipe();
  say("");
  setSize(1);
  openSettings(false);
  at("pace-normal").checked = true;
  at("mode-free").checked = true;
  show("welcome");
}

function wipe() {
  at("captions").replaceChildren();
  at("kept").replaceChildren();
  announce("");
  at("hand").textContent = "";
  at("person").hidden = false;
  at("tone").setAttribute("aria-checked", "false");
}

// Whatever is left on the screen by somebody who went away is taken off it.
function restartIdle(seconds = about.idle_s) {
  clearTimeout(idleTimer);
  if (session) return;
  idleTimer = setTimeout(() => {
    const asFound = html.dataset.size === "1" && at("pace-normal").checked && at("mode-free").checked;
    if (html.dataset.screen !== "welcome" || !asFound || at("message").textContent) reset();
  }, 1000 * seconds);
}

// --- settings ----------------------------------------------------------------------------------

function setSize(size) {
  html.dataset.size = String(size);
  at("text-smaller").disabled = size <= 1;
  at("text-larger").disabled = size >= SIZES;
  follow();
}

function openSettings(open) {
  at("settings").classList.toggle("open", open);
  at("settings-toggle").setAttribute("aria-expanded", String(open));
}

function pace() {
  const chosen = Number(document.querySelector("input[name=pace]:checked").value);
  if (chosen < 0) return about.pace.lowest;
  return chosen > 0 ? about.pace.highest : 1;
}

const holds = () => at("mode-hold").checked;

// --- a session ---------------------------------------------------------------------------------

class Session {
  constructor(consent) {
    this.consent = consent;
    this.state = "connecting";
    this.held = false;
    this.spoke = false;
    this.captions = new Map();
    this.goodbye = null;
    this.over = false;
    this.unanswered = 0;
  }

  async begin() {
    this.microphone = await this.mine(Microphone.open((frame, level) => this.hear(frame, level)));
    this.loudspeaker = await this.mine(Loudspeaker.open((item, ms, cleared) => this.played(item, ms, cleared)));
    this.microphone.onLost(() => this.fail(MICROPHONE_LOST));
    const headers = { "Content-Type": "application/json" };
    const key = new URLSearchParams(location.hash.slice(1)).get("key");
    if (key) headers.Authorization = `Bearer ${key}`;
    const body = { pace: pace() };
    if (this.consent) body.consent = { emotion_voice: this.consent };
    const signal = AbortSignal.timeout(2 * ASK_MS);
    const answer = await fetch("/kiosk/token", { method: "POST", headers, body: JSON.stringify(body), signal });
    if (!answer.ok) throw new Error(answer.status === 401 ? NO_KEY : UNREACHABLE);
    const { token } = await answer.json();
    if (this.over) return;
    const address = new URL("/kiosk/socket", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    this.socket = new WebSocket(address, ["realtime", `openai-insecure-api-key.${token}`]);
    this.socket.onmessage = ({ data }) => this.take(JSON.parse(data));
    this.socket.onclose = () => this.closed();
    this.asking = setInterval(() => this.ask(), ASK_MS);
  }

  // What is opened for a visitor who has gone meanwhile is closed again: nobody is to be listened to.
  async mine(opening) {
    const opened = await opening;
    if (!this.over) return opened;
    opened.close();
    throw new Error("over");
  }

  // A cable that is pulled closes no socket: a server that answers nothing is gone.
  ask() {
    if (this.unanswered >= MOST_UNANSWERED) this.fail(LOST);
    this.unanswered++;
    this.tell("session.update", { session: { type: "realtime" } });
  }

  tell(type, fields = {}) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type, ...fields }));
  }

  update() {
    const format = { type: "audio/pcm", rate: RATE };
    const turn_detection = holds() ? null : { type: "server_vad" };
    this.tell("session.update", {
      session: { type: "realtime", audio: { input: { format, turn_detection }, output: { format } } },
    });
  }

  take(event) {
    this.unanswered = 0;
    switch (event.type) {
      case "session.created":
        this.tone(event.session.attune.consent.emotion_voice);
        this.update();
        break;
      case "response.output_audio.delta":
        if (event.delta) this.loudspeaker.play(event.item_id, event.delta);
        break;
      case "response.output_audio.done":
        this.loudspeaker.end();
        break;
      case "output_audio_buffer.cleared":
        this.loudspeaker.clear();
        break;
      case "input_audio_buffer.speech_started":
        this.spoke = true;
        break;
      case "attune.state":
        this.show(event.state);
        break;
      case "attune.caption":
        this.caption(event);
        break;
      case "attune.consent.updated":
        this.tone(event.state);
        break;
      case "attune.hand":
        at("hand").textContent = HANDS[event.hand] ?? "";
        at("person").hidden = event.hand in HANDS;
        break;
      case "attune.session.ended":
        if (event.reason === "error") this.problem = event.message;
        this.goodbye = event.message;
        this.deserted = event.reason === "silence";
        break;
      case "error":
        if (event.error.code === "busy") this.problem = event.error.message;
        break;
    }
  }

  // --- what goes out ---------------------------------------------------------------------------

  hear(frame, level) {
    const open = !holds() || this.held;
    at("button").style.setProperty("--level", open && this.state === "listening" ? level : 0);
    if (open) this.tell("input_audio_buffer.append", { audio: base64Of(frame) });
  }

  played(item, ms, cleared) {
    const type = cleared ? "conversation.item.truncate" : "attune.playback";
    this.tell(type, { item_id: item, content_index: 0, audio_end_ms: ms });
  }

  press() {
    if (!holds()) {
      if (this.state === "speaking") this.tell("response.cancel");
      else if (this.state === "listening") this.tell("input_audio_buffer.commit");
      return;
    }
    if (this.held) return;
    this.pressedAt = performance.now();
    this.held = true;
    this.spoke = false;
    say("");
    if (this.state === "speaking") this.tell("response.cancel");
    this.show(this.state);
  }

  // A short tap holds the turn open until the next one: not everybody can keep a button down.
  release() {
    if (!this.held || performance.now() - this.pressedAt < TAP_MS) return;
    this.finish();
  }

  finish() {
    if (this.finishing) return;
    this.finishing = true;
    setTimeout(() => {
      this.held = this.finishing = false;
      this.tell("input_audio_buffer.commit");
      this.show(this.state);
      setTimeout(() => {
        if (!this.over && !this.spoke && !this.held) say(NOTHING_HEARD);
      }, 700);
    }, TAIL_MS);
  }

  // --- what is shown ---------------------------------------------------------------------------

  show(state) {
    this.state = state;
    const talk = at("talk");
    talk.dataset.state = state;
    talk.dataset.held = String(holds() && this.held);
    let [told, label] = STATES[state];
    if (holds() && this.held) [told, label] = HELD.held;
    else if (holds() && state === "listening") [told, label] = HELD.listening;
    else if (holds() && state === "speaking") label = "Hold to interrupt";
    if (at("state").textContent !== told) at("state").textContent = told;
    at("button-label").textContent = label;
  }

  caption({ speaker, item_id, text, final }) {
    let line = this.captions.get(item_id);
    if (!text) {
      line?.remove();
      return;
    }
    const box = at("captions");
    if (!line) {
      line = document.createElement("p");
      line.append(document.createElement("b"), document.createElement("span"));
      this.captions.set(item_id, line);
      box.append(line);
    }
    line.className = `said ${speaker}${final ? "" : " coming"}`;
    line.dataset.speaker = speaker;
    line.firstChild.textContent = NAMES[speaker] ?? NAMES.assistant;
    line.lastChild.textContent = speaker === "caller" ? asWritten(text) : text;
    follow();
    if (final) announce(`${NAMES[speaker] ?? NAMES.assistant}: ${text}`);
  }

  tone(state) { at("tone").setAttribute("aria-checked", String(state === "granted")); }

  // --- the end ---------------------------------------------------------------------------------

  async closed() {
    if (this.over) return;
    if (this.problem || this.goodbye) await this.loudspeaker.drained(GOODBYE_MS);
    if (this.over) return;
    if (this.problem) this.fail(this.problem);
    else if (this.goodbye) this.part(this.goodbye);
    else this.fail(LOST);
  }

  stop() {
    this.over = true;
    clearInterval(this.asking);
    this.microphone?.close();
    this.loudspeaker?.close();
    if (this.socket) {
      this.socket.onclose = this.socket.onmessage = null;
      this.socket.close();
    }
    this.captions.clear();
    if (session === this) session = null;
  }

  fail(sentence) {
    if (this.over) return;
    this.stop();
    wipe();
    show("welcome", "start");
    say(sentence);
  }

  part(sentence) {
    this.stop();
    at("kept").replaceChildren(...at("captions").childNodes);
    at("captions").replaceChildren();
    for (const line of at("kept").children) line.classList.remove("coming");
    at("over-title").textContent = sentence;
    const seconds = this.deserted ? DESERTED_S : about.idle_s;
    at("over-note").textContent = `What was said leaves this screen after ${Math.round(seconds)} seconds.`;
    show("over");
    restartIdle(seconds);
    at("kept").scrollTop = at("kept").scrollHeight;
  }
}

async function begin(consent) {
  say("");
  wipe();
  session?.stop();
  const mine = (session = new Session(consent));
  at("tone").hidden = !about.consent;
  mine.show("connecting");
  show("talk", "button");
  try {
    await mine.begin();
  } catch (error) {
    mine.fail(sentenceFor(error));
  }
}

function follow() { at("captions").scrollTop = at("captions").scrollHeight; }

// The recogniser knows no capitals.
function asWritten(text) {
  return text.replace(/^./u, (each) => each.toUpperCase()).replace(/\bi\b/g, "I");
}

function sentenceFor(error) {
  const known = { NotAllowedError: BLOCKED, NotFoundError: NO_MICROPHONE, NotReadableError: NO_MICROPHONE, SecurityError: NOT_SECURE };
  if (error instanceof DOMException) return known[error.name] ?? UNREACHABLE;
  return [NO_KEY, UNREACHABLE].includes(error.message) ? error.message : UNREACHABLE;
}

// --- what the visitor does ---------------------------------------------------------------------

at("start").addEventListener("click", () => {
  say("");
  if (!about.consent) begin(null);
  else show("ask");
});
at("consent-yes").addEventListener("click", () => begin("granted"));
at("consent-no").addEventListener("click", () => begin("denied"));
at("ask-back").addEventListener("click", reset);
at("end").addEventListener("click", () => { session?.stop(); reset(); });
at("clear").addEventListener("click", reset);
at("keep").addEventListener("click", () => {
  restartIdle(10 * about.idle_s);
  at("over-note").textContent = `What was said stays for ${Math.round((10 * about.idle_s) / 60)} more minutes.`;
});
at("person").addEventListener("click", () => session?.tell("attune.person.request"));
at("tone").addEventListener("click", () => {
  const on = at("tone").getAttribute("aria-checked") === "true";
  session?.tell("attune.consent.update", { purpose: "emotion_voice", state: on ? "denied" : "granted" });
});
at("settings-toggle").addEventListener("click", () => openSettings(at("settings-toggle").getAttribute("aria-expanded") !== "true"));
at("text-smaller").addEventListener("click", () => setSize(Math.max(1, Number(html.dataset.size) - 1)));
at("text-larger").addEventListener("click", () => setSize(Math.min(SIZES, Number(html.dataset.size) + 1)));
for (const each of document.getElementsByName("pace")) {
  each.addEventListener("change", () => session?.tell("attune.pace.update", { factor: pace() }));
}
for (const each of document.getElementsByName("mode")) {
  each.addEventListener("change", () => {
    if (!session) return;
    session.held = false;
    session.update();
    session.show(session.state);
  });
}

const button = at("button");
const isPress = (event) => event.key === " " || event.key === "Enter";
function pressed() {
  if (!session) return;
  if (session.held) session.finish();
  else session.press();
}
button.addEventListener("pointerdown", (event) => { if (event.button === 0) pressed(); });
for (const kind of ["pointerup", "pointercancel", "pointerleave"]) {
  button.addEventListener(kind, () => session?.release());
}
button.addEventListener("keydown", (event) => {
  if (!isPress(event)) return;
  event.preventDefault();
  if (!event.repeat) pressed();
});
button.addEventListener("keyup", (event) => {
  if (!isPress(event)) return;
  event.preventDefault();
  session?.release();
});
// A screen reader's press comes as a click without a pointer or a key.
button.addEventListener("click", (event) => { if (event.detail === 0) pressed(); });
button.addEventListener("contextmenu", (event) => event.preventDefault());
for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, () => restartIdle());
new ResizeObserver(follow).observe(at("captions"));
window.addEventListener("pagehide", () => { session?.stop(); reset(); });

try {
  about = await (await fetch("/kiosk/about")).json();
} catch {
  say(UNREACHABLE);
}
at("company").textContent = about.company || "Welcome";
document.title = about.company ? `Talk to ${about.company}` : "Talk to us";
if (about.consent) {
  at("ask-title").textContent = about.consent.question;
  at("ask-explanation").textContent = about.consent.explanation;
  at("consent-yes").textContent = about.consent.yes;
  at("consent-no").textContent = about.consent.no;
}
setSize(1);
html.dataset.ready = "true";
