// The open call: what is said, the plan that waits, the agent's own words, and everything beside it.
import { drawMood } from "./mood.js";

const byId = (id) => document.getElementById(id);
const title = (text) => text.charAt(0).toUpperCase() + text.slice(1).toLowerCase().replaceAll("_", " ");

export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

export class CallView {
  constructor({ ask, now }) {
    this.ask = ask;
    this.now = now;
    this.transcript = byId("transcript");
    this.reset(null);
    this.listen();
    this.transcript.addEventListener("scroll", () => {
      if (this.transcript.clientHeight === this.height) this.following = this.atEnd();
    });
    new ResizeObserver(() => {
      this.follow();
      this.height = this.transcript.clientHeight;
    }).observe(this.transcript);
  }

  reset(call) {
    this.call = call;
    this.seq = 0;
    this.following = true;
    this.turns = new Map();
    this.consent = {};
    this.waiting = null;
    this.latest = null;
    this.lastReply = null;
    this.summary = null;
    this.bubbles = new Map();
    this.transcript.replaceChildren();
    byId("brief").hidden = true;
  }

  open(message) {
    if (message.fresh || message.call !== this.call) this.reset(message.call);
    byId("nothing").hidden = true;
    byId("call").hidden = false;
    byId("about").hidden = false;
    this.drawCustomer(message.customer);
    this.channel = message.channel;
    byId("title").textContent = message.customer.name ?? "Unknown caller";
    this.summarise(message);
    this.drawBeside();
  }

  close() {
    this.reset(null);
    byId("nothing").hidden = false;
    byId("call").hidden = true;
    byId("about").hidden = true;
  }

  // --- entries ----------------------------------------------------------------------------------

  take(call, entries) {
    if (call !== this.call) return;
    for (const entry of entries) {
      this.seq = Math.max(this.seq, entry.seq);
      this.entry(entry);
    }
    this.drawBeside();
    this.drawPanels();
    this.follow();
  }

  // The newest words stay in sight, unless somebody has scrolled up to read.
  follow() {
    if (this.following) this.transcript.scrollTop = this.transcript.scrollHeight;
  }

  atEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.transcript;
    return scrollHeight - scrollTop - clientHeight < 80;
  }

  entry(entry) {
    switch (entry.kind) {
      case "heard":
        this.caller(entry.turn, entry.text, false);
        break;
      case "dropped":
        this.bubbles.get(entry.turn)?.remove();
        this.bubbles.delete(entry.turn);
        break;
      case "plan":
        this.caller(entry.turn, entry.text, true);
        this.waiting = { ...entry, until: entry.at + entry.left_ms / 1000, all: entry.left_ms / 1000 };
        this.latest = entry;
        this.turns.set(entry.turn, entry);
        byId("plan-text").value = entry.reply;
        this.edited = false;
        byId("told").textContent = "Attune waits for you to approve its reply.";
        break;
      case "waiting":
        if (this.waiting) {
          this.waiting.until = entry.at + entry.left_ms / 1000;
          this.waiting.all = entry.left_ms / 1000;
        }
        break;
      case "decided":
        this.caller(entry.turn, entry.text, true);
        this.latest = entry;
        this.turns.set(entry.turn, entry);
        this.done(entry.turn);
        break;
      case "voice":
        this.live = entry;
        break;
      case "consent":
        this.consent = entry;
        if (!entry.emotion_voice) {
          this.live = null;
          for (const turn of this.turns.values()) turn.feeling = turn.words;
        }
        break;
      case "said":
        this.said(entry);
        break;
      case "interrupted":
        this.note("The caller spoke into it.");
        this.done(entry.turn);
        break;
      case "finished":
        this.done(entry.turn);
        if (entry.fallback) this.note("Something failed; the caller heard an apology.");
        this.lastReply = null;
        break;
      case "hand":
        this.note(handText(entry));
        break;
      case "brief":
        this.drawBrief(entry);
        break;
      case "outcome":
        this.note(`${entry.by}: ${entry.outcome}.`);
        break;
      case "ended":
        this.waiting = null;
        this.note(endText(entry.reason));
    }
  }

  done(turn) {
    if (this.waiting?.turn === turn) this.waiting = null;
  }

  caller(turn, text, final) {
    let bubble = this.bubbles.get(turn);
    if (!text) {
      if (final && bubble) {
        bubble.remove();
        this.bubbles.delete(turn);
      }
      return;
    }
    if (!bubble) {
      bubble = this.bubble("caller", "Caller");
      this.bubbles.set(turn, bubble);
      this.lastReply = null;
    }
    bubble.classList.toggle("partial", !final);
    bubble.lastElementChild.textContent = text;
  }

  said(entry) {
    const key = `${entry.turn}:${entry.speaker}`;
    if (this.lastReply?.key !== key) {
      const who = entry.speaker === "agent" ? (entry.by ?? "Agent") : "Attune";
      this.lastReply = { key, bubble: this.bubble(entry.speaker, who), text: "" };
    }
    const joined = `${this.lastReply.text} ${entry.text}`.trim();
    this.lastReply.text = joined.replace(/ (?=[.,;:!?](\s|$))/g, "");
    this.lastReply.bubble.lastElementChild.textContent = this.lastReply.text;
  }

  bubble(kind, who) {
    const bubble = make("div", `bubble ${kind}`);
    bubble.append(make("span", "speaker", who), make("p"));
    this.transcript.append(bubble);
    return bubble;
  }

  note(text) {
    this.lastReply = null;
    this.transcript.append(make("p", "note", text));
  }

  // --- what can be done -------------------------------------------------------------------------

  summarise(summary) {
    if (!summary || summary.call !== this.call) return;
    this.summary = summary;
    this.drawPanels();
  }

  drawPanels() {
    const { hand = "assistant", holder = null, ended = null, channel = "" } = this.summary ?? {};
    const mine = hand === "agent";
    byId("take-over").hidden = mine || Boolean(ended);
    byId("give-back").hidden = !mine || Boolean(ended);
    byId("ask-first").hidden = mine || hand === "waiting" || Boolean(ended);
    byId("ask-first").setAttribute("aria-pressed", String(hand === "ask_first"));
    byId("transfer").hidden = Boolean(ended);
    byId("brief-title").textContent = mine ? "What you take over" : "Handoff brief";
    byId("close").textContent = ended ? "Say how it ended…" : "Close…";
    byId("typing").hidden = !mine || Boolean(ended);
    byId("over").hidden = !ended;
    byId("plan").hidden = this.waiting === null || mine || Boolean(ended);
    byId("plan-does").textContent = this.waiting ? consequences(this.waiting) : "";
    byId("suggest").hidden = !(mine && this.latest?.reply);
    const waiting = "waits for a person";
    const hands = { waiting, assistant: "Attune answers", ask_first: "Attune asks first", agent: `${holder} has the call` };
    byId("meta").textContent = [channel, ended ? "ended" : hands[hand]].filter(Boolean).join(" · ");
  }

  tick() {
    if (!this.waiting) return;
    const left = Math.max(0, this.waiting.until - this.now());
    byId("left").textContent = `goes on by itself in ${Math.ceil(left)} s`;
    byId("patience").value = this.waiting.all ? left / this.waiting.all : 0;
  }

  listen() {
    const command = (id, name, fields) =>
      byId(id).addEventListener("click", () => this.ask(this.call, name, fields?.() ?? {}));
    command("take-over", "take_over");
    command("give-back", "give_back");
    command("transfer", "transfer");
    byId("ask-first").addEventListener("click", () => {
      const wanted = byId("ask-first").getAttribute("aria-pressed") !== "true";
      this.ask(this.call, "ask_first", { wanted });
    });
    this.listenToPlan();
    this.listenToTyping();
    this.listenToClosing();
  }

  listenToPlan() {
    const text = byId("plan-text");
    text.addEventListener("input", () => {
      if (!this.edited && this.waiting) {
        this.edited = true;
        this.ask(this.call, "editing", { turn: this.waiting.turn });
      }
      const changed = text.value.trim() !== this.waiting?.reply && text.value.trim() !== "";
      for (const button of byId("plan").querySelectorAll("[data-verdict]")) {
        button.disabled = (button.dataset.verdict === "approve") === changed;
      }
    });
    text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        byId("plan").querySelector("[data-verdict]:enabled").click();
      }
    });
    byId("plan").addEventListener("submit", async (event) => {
      event.preventDefault();
      const verdict = event.submitter?.dataset.verdict ?? "approve";
      const words = verdict === "approve" ? null : text.value.trim();
      if (!this.waiting) return;
      if (await this.ask(this.call, "rule", { turn: this.waiting.turn, verdict, text: words })) {
        this.waiting = null;
        this.drawPanels();
        for (const button of byId("plan").querySelectorAll("[data-verdict]")) {
          button.disabled = button.dataset.verdict !== "approve";
        }
      }
    });
  }

  listenToTyping() {
    const words = byId("words");
    words.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        byId("typing").requestSubmit();
      }
    });
    byId("typing").addEventListener("submit", async (event) => {
      event.preventDefault();
      const text = words.value.trim();
      if (text && (await this.ask(this.call, "say", { text }))) words.value = "";
      words.focus();
    });
    byId("suggest").addEventListener("click", () => {
      words.value = this.latest.reply;
      words.focus();
    });
  }

  listenToClosing() {
    const dialog = byId("closing");
    byId("close").addEventListener("click", () => {
      const ended = Boolean(this.summary?.ended);
      byId("closing-what").hidden = ended;
      byId("closing-form").reset();
      dialog.showModal();
    });
    byId("closing-cancel").addEventListener("click", () => dialog.close());
    byId("closing-form").addEventListener("submit", async (event) => {
      event.preventDefault();
      const outcome = new FormData(event.target).get("outcome");
      const note = byId("note").value.trim();
      if (await this.ask(this.call, "close", { outcome, note })) dialog.close();
    });
  }

  // --- beside the call --------------------------------------------------------------------------

  drawBeside() {
    drawMood(byId("mood"), { consent: this.consent, turns: [...this.turns.values()], live: this.live });
    this.drawWhy();
    this.drawNext();
  }

  drawWhy() {
    const place = byId("why");
    const turn = this.latest;
    if (!turn) {
      place.replaceChildren(make("p", "quiet", "Nothing decided yet."));
      return;
    }
    const parts = [
      make("p", "intent", turn.intent),
      make("p", "quiet", `${Math.round(turn.intent_score * 100)} % sure${others(turn.alternatives)}`),
      make("p", "strategy", title(turn.strategy)),
    ];
    if (turn.speaker === "agent") parts.push(make("p", "quiet", "A suggestion: nothing of it was carried out."));
    const reasons = make("ul", "reasons");
    for (const reason of turn.reasons) reasons.append(reasonItem(reason));
    parts.push(reasons);
    const [second] = turn.others;
    if (second) {
      const runner = make("p", "runner", `Second choice: rule ${second.rule}`);
      if (second.note) runner.append(make("span", "quiet", ` ${second.note.replace("runner-up: ", "")}`));
      parts.push(runner);
    }
    for (const effect of turn.effects) parts.push(make("p", "effect", effect.does));
    place.replaceChildren(...parts);
  }

  drawNext() {
    const items = (this.latest?.next ?? []).map((each) => {
      const item = make("li");
      item.append(make("strong", "", title(each.does)), make("span", "quiet", each.why));
      const meter = make("meter");
      meter.max = 1;
      meter.value = each.score;
      meter.setAttribute("aria-label", `how well it fits: ${Math.round(each.score * 100)} %`);
      item.append(meter);
      return item;
    });
    if (!items.length) items.push(make("li", "quiet none", "Nothing to suggest yet."));
    byId("next").replaceChildren(...items);
  }

  drawBrief(brief) {
    const rows = [
      ["Why you", brief.reason.replace(/^\w+: /, "")],
      ["About", brief.problem],
      ["Tried", brief.tried.join("; ")],
      ["In their words", brief.quotes.map((quote) => `“${quote}”`).join(" ")],
      ["Promised", brief.promises.join("; ")],
      ["Next", brief.why ? `${brief.next_step} (${brief.why})` : brief.next_step],
    ];
    fillRows(byId("brief-rows"), rows);
    const facts = Object.entries(brief.facts);
    byId("brief-known").hidden = facts.length === 0;
    byId("brief-count").textContent = String(facts.length);
    fillRows(byId("brief-facts"), facts.map(([name, value]) => [name.replaceAll("_", " "), value]));
    byId("brief").dataset.priority = brief.priority;
    byId("brief").hidden = false;
  }

  drawCustomer(customer) {
    const list = make("dl");
    const contacts = customer.contacts.map(
      (each) => `${each.at.slice(0, 10)} ${each.intent.replaceAll("_", " ")}: ${each.outcome}`,
    );
    const consents = Object.entries(customer.consents).map(([name, state]) => `${name.replaceAll("_", " ")} ${state}`);
    fillRows(list, [
      ["Name", customer.name ?? "not known"],
      ["Number", customer.id ?? ""],
      ["Where", customer.jurisdiction],
      ["Needs", customer.flags.map((flag) => flag.replaceAll("_", " ")).join(", ")],
      ["Owns", Object.entries(customer.attributes).map(([name, value]) => `${name} ${value}`).join("; ")],
      ["Open", customer.cases.map((each) => `${each.subject} (${each.id})`).join("; ")],
      ["Promised", customer.promises.join("; ")],
      ["Agreed", consents.join(", ")],
    ]);
    const parts = [list];
    if (contacts.length) {
      const past = make("ul", "contacts");
      past.append(...contacts.map((text) => make("li", "", text)));
      parts.push(make("h4", "", "Earlier contacts"), past);
    }
    byId("customer").replaceChildren(...parts);
  }
}

function fillRows(list, rows) {
  list.replaceChildren();
  for (const [name, value] of rows) {
    if (value) list.append(make("dt", "", name), make("dd", "", value));
  }
}

function reasonItem(reason) {
  const item = make("li");
  item.append(make("strong", "", `Rule ${reason.rule}`), make("span", "", reason.note ? ` ${reason.note}` : ""));
  const saw = make("span", "saw");
  for (const [name, value] of Object.entries(reason.saw)) {
    saw.append(make("span", "chip", `${name.replaceAll("_", " ")}: ${plain(value)}`));
  }
  item.append(saw);
  return item;
}

function plain(value) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return String(Math.round(value * 100) / 100);
  return Array.isArray(value) ? value.join(", ") : String(value).replaceAll("_", " ");
}

function others(alternatives) {
  const named = alternatives.filter((each) => each.score >= 0.05).map((each) => each.intent);
  return named.length ? `; or ${named.join(", ")}` : "";
}

function consequences(plan) {
  const does = plan.effects.map((effect) => effect.does);
  if (plan.handoff) does.push("puts the caller through");
  return does.length ? `Attune also does this: ${does.join("; ")}.` : "";
}

function handText({ hand, by }) {
  if (hand === "waiting") return "The caller waits for a person.";
  if (hand === "agent") return `${by ?? "An agent"} has the call.`;
  return hand === "ask_first" ? `Attune asks ${by ?? "an agent"} first.` : "Attune answers by itself.";
}

function endText(reason) {
  const texts = {
    hangup: "The caller hung up.",
    handoff: "The caller was put through.",
    closed: "The call was closed.",
    silence: "Nobody was there any more.",
  };
  return texts[reason] ?? "The call broke off.";
}
