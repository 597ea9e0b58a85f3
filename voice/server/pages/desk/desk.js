// The desk: the list of calls, the connection, and what is asked of the server.
import { CallView } from "./call.js";
import { openLedger } from "./supervisor.js";

const byId = (id) => document.getElementById(id);
const { csrf, role } = document.body.dataset;
const line = byId("line");
const problem = byId("problem");

let socket = null;
let tries = 0;
let clockAhead = 0;
let calls = [];
let wanted = decodeURIComponent(location.hash.slice(1)) || null;
let run = "";

const view = new CallView({ ask, now: () => Date.now() / 1000 - clockAhead });

// --- connection ---------------------------------------------------------------------------------

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/desk/live`);
  socket.addEventListener("open", () => {
    tries = 0;
    show("live", "Live");
    watch();
  });
  socket.addEventListener("message", (message) => take(JSON.parse(message.data)));
  socket.addEventListener("close", (closed) => {
    if (closed.code === 4401) {
      location.reload();
      return;
    }
    tries += 1;
    const waitMs = Math.min(10000, 300 * 2 ** tries) * (0.7 + Math.random() * 0.6);
    show("waiting", "Connection lost, trying again");
    setTimeout(connect, waitMs);
  });
}

function show(state, text) {
  line.dataset.state = state;
  line.textContent = text;
}

function watch() {
  if (socket !== null && socket.readyState === WebSocket.OPEN) {
    const since = view.call === wanted ? view.seq : 0;
    socket.send(JSON.stringify({ call: wanted, since, run }));
  }
}

function take(message) {
  clockAhead = Date.now() / 1000 - message.now;
  run = message.run;
  switch (message.kind) {
    case "calls":
      announce(message.calls);
      calls = message.calls;
      drawCalls();
      view.summarise(calls.find((each) => each.call === view.call));
      break;
    case "open":
      view.open(message);
      break;
    case "entries":
      view.take(message.call, message.entries);
      break;
    case "gone":
      if (message.call === wanted) {
        complain(message.text);
        choose(null);
      }
      break;
    case "problem":
      complain(message.text);
  }
}

// Asks the server to change something; says whether it did.
async function ask(call, command, fields = {}) {
  const response = await send(`/desk/calls/${encodeURIComponent(call)}`, { command, ...fields });
  return response;
}

async function send(path, body) {
  const headers = { "Content-Type": "application/json", "X-CSRF-Token": csrf };
  return (await answered(path, { method: "POST", headers, body: JSON.stringify(body) })) !== null;
}

// What the server answers; null where it refuses or cannot be reached, and the page says so.
async function answered(path, options = {}) {
  try {
    const response = await fetch(path, options);
    const told = await response.json();
    if (response.ok) {
      complain("");
      return told;
    }
    if (response.status === 401) location.reload();
    complain(told.problem);
  } catch {
    complain("The server cannot be reached; nothing was done.");
  }
  return null;
}

function complain(text) {
  problem.textContent = text;
  problem.hidden = !text;
}

// --- the list -----------------------------------------------------------------------------------

function drawCalls() {
  const list = byId("calls");
  const live = calls.filter((each) => !each.ended).length;
  byId("count").textContent = String(live);
  byId("no-calls").hidden = calls.length > 0;
  const known = new Map([...list.children].map((item) => [item.dataset.call, item]));
  for (const each of calls) {
    const item = known.get(each.call) ?? newItem(each.call);
    known.delete(each.call);
    drawItem(item, each);
    if (!item.isConnected) list.append(item);
  }
  for (const item of known.values()) item.remove();
  document.title = live ? `(${live}) Attune desk` : "Attune desk";
}

// Says aloud what somebody at the desk should not miss.
function announce(next) {
  const before = new Map(calls.map((each) => [each.call, each]));
  for (const each of next) {
    const old = before.get(each.call);
    if (each.wants_human && !old?.wants_human && !each.ended) {
      byId("told").textContent = "A caller wants a person.";
    } else if (!old && !each.ended) {
      byId("told").textContent = "A new call.";
    }
  }
}

function newItem(call) {
  const item = document.createElement("li");
  item.dataset.call = call;
  const button = document.createElement("button");
  button.type = "button";
  button.addEventListener("click", () => choose(call));
  for (const name of ["dot", "name", "clock", "intent", "flag"]) {
    const part = document.createElement("span");
    part.className = name;
    button.append(part);
  }
  item.append(button);
  return item;
}

function drawItem(item, each) {
  const button = item.firstElementChild;
  const part = (name) => button.querySelector(`.${name}`);
  const open = each.call === wanted;
  button.setAttribute("aria-current", open ? "true" : "false");
  button.disabled = !each.open;
  button.dataset.hand = each.hand;
  button.dataset.ended = each.ended ? "yes" : "no";
  setText(part("name"), each.known ? "Known customer" : "Unknown caller");
  setText(part("intent"), [each.channel, each.intent, each.mood].filter(Boolean).join(" · "));
  part("dot").dataset.mood = each.mood ?? "none";
  setText(part("flag"), flagOf(each));
  part("flag").dataset.kind = kindOf(each);
  part("flag").hidden = !flagOf(each);
}

function flagOf(each) {
  if (each.outcome) return each.outcome;
  if (each.ended) return "to wrap up";
  if (each.held) return "waits for you";
  if (each.hand === "agent") return `with ${each.holder}`;
  if (each.wants_human) return "wants a person";
  if (each.hand === "ask_first") return `${each.holder} is asked first`;
  return each.state === "caller speaks" ? "speaking" : "";
}

function kindOf(each) {
  if (each.held || each.wants_human) return "urgent";
  if (each.hand === "agent") return "agent";
  return "plain";
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function choose(call) {
  wanted = call;
  history.replaceState(null, "", call ? `#${encodeURIComponent(call)}` : location.pathname);
  if (call === null) view.close();
  drawCalls();
  watch();
  if (call !== null) byId("conversation").focus({ preventScroll: true });
}

function clocks() {
  const now = Date.now() / 1000 - clockAhead;
  for (const item of byId("calls").children) {
    const each = calls.find((call) => call.call === item.dataset.call);
    if (!each) continue;
    const seconds = Math.max(0, Math.floor(now - each.began_at));
    const text = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    setText(item.querySelector(".clock"), each.ended ? "ended" : text);
  }
  view.tick();
}

byId("logout").addEventListener("click", async () => {
  if (await send("/desk/logout", {})) location.reload();
});
if (role === "supervisor") {
  byId("audit").hidden = false;
  byId("audit").addEventListener("click", async () => {
    const told = await answered("/desk/audit");
    if (told) openLedger(told);
  });
}
setInterval(clocks, 250);
connect();
