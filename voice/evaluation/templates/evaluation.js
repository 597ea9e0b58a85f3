"use strict";
const overview = document.getElementById("overview"), page = document.getElementById("call");
const places = new Map(), chunks = new Map();
for (const element of document.querySelectorAll("script[data-calls]")) {
  element.dataset.calls.split(" ").forEach((name, place) => places.set(name, { element, place }));
}
const order = [...places.keys()];

// --- the list ---------------------------------------------------------------------------------

const table = document.getElementById("calls");
if (table) {
  const rows = [...table.tBodies[0].rows], more = document.getElementById("more");
  const filters = document.querySelector(".filters"), search = filters.querySelector("input");
  const [outcome, last] = filters.querySelectorAll("select"), count = document.getElementById("count");
  let all = !more;
  const atFirst = rows.filter((row) => !row.hidden).length;
  const cell = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent;
  function show() {
    const wanted = search.value.trim().toLowerCase();
    let found = 0;
    for (const row of table.tBodies[0].rows) {
      const fits = (!wanted || row.textContent.toLowerCase().includes(wanted))
        && (!outcome.value || row.cells[3].textContent === outcome.value)
        && (!last.value || row.cells[4].textContent.endsWith("→" + last.value));
      found += fits;
      row.hidden = !fits || (!all && found > atFirst);
    }
    if (more) more.hidden = all || found <= atFirst;
    count.textContent = found === rows.length ? "" : `${found} of ${rows.length} calls`;
  }
  filters.hidden = rows.length < 8;
  for (const control of [search, outcome, last]) control.addEventListener("input", show);
  more?.addEventListener("click", () => { all = true; show(); });
  for (const head of table.querySelectorAll("th[data-sort]")) {
    const column = head.cellIndex, number = head.dataset.sort === "number";
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.ariaSort ? head.ariaSort === "ascending" : number;
      for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
      head.ariaSort = down ? "descending" : "ascending";
      const keyed = rows.map((row) => [number ? parseFloat(cell(row, column)) || 0 : cell(row, column), row]);
      keyed.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1));
      table.tBodies[0].append(...keyed.map(([, row]) => row));
      show();
    });
  }
}

// --- one call ---------------------------------------------------------------------------------

async function read(name) {
  const { element, place } = places.get(name);
  if (!chunks.has(element)) {
    const bytes = Uint8Array.from(atob(element.textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    chunks.set(element, new Response(stream).json());
  }
  return (await chunks.get(element))[place];
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const plain = (name) => String(name).replaceAll("_", " ");
const tag = (text, kind = "") => make("span", { class: "tag " + kind }, text);
function clock(ms) {
  const seconds = Math.floor(ms / 1000), two = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600), minutes = Math.floor(seconds / 60) % 60;
  return (hours ? hours + ":" + two(minutes) : minutes) + ":" + two(seconds % 60);
}
function marked(text) {
  return text.split(/(\[[A-Z_ ]+\]|\[withheld\])/).map((part, place) => (place % 2 ? make("mark", {}, part) : part));
}
function fact(name, ...values) {
  return make("div", {}, make("dt", {}, name), make("dd", {}, ...values));
}
const COURTESY = new Set(["thanks", "goodbye"]);
const feeling = (turn) => (turn.party === "agent" ? "agent" : turn.emotion || "unknown");

function timeline(call, seek) {
  const end = Math.max(1, call.duration_ms), at = (ms) => (100 * ms) / end + "%";
  const tracks = { caller: make("div", { class: "track" }), agent: make("div", { class: "track" }) };
  const low = make("div", { class: "track low" }), axis = make("div", { class: "track axis" });
  const heads = [];
  call.turns.forEach((turn, place) => {
    tracks[turn.party].append(make("i", {
      class: `k-${feeling(turn)}${turn.interrupts ? " cut" : ""}`,
      style: `left:${at(turn.start_ms)};width:${at(turn.end_ms - turn.start_ms)}`,
      title: `${clock(turn.start_ms)} ${turn.party}${turn.party === "caller" ? ", " + (turn.emotion || "feeling unknown") : ""}${turn.interrupts ? ", interrupts" : ""}\n${turn.text.slice(0, 120)}`,
      onclick: () => seek(turn.start_ms, place),
    }));
  });
  const felt = call.turns.filter((turn) => turn.valence !== undefined);
  const points = felt.map((turn) => [(100 * (turn.start_ms + turn.end_ms)) / 2 / end, 50 - 45 * turn.valence, turn]);
  const line = points.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(1)}`).join(" ");
  low.innerHTML = `<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true"><line x1="0" x2="100" y1="50" y2="50"/><polyline points="${line}"/></svg>`;
  for (const third of [1, 2]) low.append(make("span", { class: "thirds", style: `left:${(100 * third) / 3}%` }));
  for (const [x, y, turn] of points) {
    low.append(make("span", { class: `point k-${feeling(turn)}`, style: `left:${x}%;top:${y}%`, title: `${turn.emotion}, valence ${turn.valence}` }));
  }
  const most = innerWidth < 600 ? 4 : 8;
  const step = [5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600].find((each) => end / 1000 / each <= most) || 7200;
  for (let second = 0; second * 1000 < end * 0.97; second += step) {
    axis.append(make("span", { class: "mark", style: `left:${at(second * 1000)}` }, clock(second * 1000)));
  }
  axis.append(make("span", { class: "mark", style: "left:100%" }, ""));
  const lanes = [["caller", tracks.caller]];
  if (call.parties === 2) lanes.push(["agent", tracks.agent]);
  lanes.push(["valence", low]);
  for (const [, track] of lanes) {
    const head = make("span", { class: "head", style: "left:0", hidden: "" });
    heads.push(head);
    track.append(head);
    track.addEventListener("click", (event) => {
      if (event.target.tagName === "I") return;
      const box = track.getBoundingClientRect();
      seek(((event.clientX - box.left) / box.width) * end);
    });
  }
  const element = make("div", { class: "lanes", role: "img", "aria-label": "Timeline: who spoke when, and how the caller felt" },
    ...lanes.flatMap(([name, track]) => [make("span", {}, name), track]), make("span"), axis);
  const move = (ms) => heads.forEach((head) => { head.hidden = false; head.style.left = at(ms); });
  return { element, move };
}

function spoken(turn, place, seek, sound) {
  const caller = turn.party === "caller";
  const time = clock(turn.start_ms);
  const tags = [];
  if (turn.interrupts) tags.push(tag("interrupts", "warn"));
  if (caller) {
    const strength = turn.intensity && turn.intensity !== "none" ? ", " + turn.intensity : "";
    tags.push(make("span", { class: `tag felt k-${feeling(turn)}` }, (turn.emotion || "feeling unknown") + strength));
    if (turn.intent) tags.push(tag(plain(turn.intent)));
    for (const signal of turn.signals || []) if (!COURTESY.has(signal)) tags.push(tag(plain(signal), "warn"));
  }
  return make("div", { class: `turn ${turn.party} k-${feeling(turn)}`, id: `turn-${place}` },
    sound ? make("button", { type: "button", "aria-label": `Play from ${time}`, onclick: () => seek(turn.start_ms, place, true) }, "▸ " + time) : make("time", {}, time),
    make("div", { class: "said" },
      make("p", {}, make("span", { class: "who" }, caller ? "Caller" : "Agent"), ...(turn.text ? marked(turn.text) : [make("span", { class: "soft" }, "(nothing was recognised)")])),
      tags.length ? make("div", {}, ...tags) : null,
      turn.strategy ? make("p", { class: "would" }, "Attune: ", make("b", {}, turn.strategy), turn.reply ? " " : "", turn.reply ? make("q", {}, ...marked(turn.reply)) : null,
        turn.differs ? make("span", {}, " ", tag("the answer: " + turn.differs, "warn")) : null) : null));
}

function draw(call, name) {
  const sound = call.audio ? make("audio", { controls: "", preload: "metadata", "aria-label": "The call; personal data is silenced" }) : null;
  if (sound) {
    const embedded = document.getElementById(`sound-${name}`);
    sound.src = embedded ? "data:audio/mpeg;base64," + embedded.textContent : call.audio;
  }
  const turns = call.turns;
  const seek = (ms, place, play) => {
    if (sound) { sound.currentTime = ms / 1000; if (play) sound.play(); else follow(); }
    if (place !== undefined && !play) document.getElementById(`turn-${place}`).scrollIntoView({ block: "center", behavior: "smooth" });
  };
  const line = timeline(call, seek);
  function follow() {
    const ms = sound.currentTime * 1000;
    line.move(ms);
    const place = turns.findLastIndex((turn) => turn.start_ms <= ms + 50);
    for (const element of page.querySelectorAll(".turn.now")) element.classList.remove("now");
    if (place >= 0 && ms <= turns[place].end_ms + 300) document.getElementById(`turn-${place}`).classList.add("now");
  }
  sound?.addEventListener("timeupdate", follow);
  const place = order.indexOf(name);
  const step = (to, text) => (order[to] ? make("a", { href: "#call-" + order[to] }, text) : null);
  const third = call.thirds.flatMap((emotion, part) => [part ? make("span", { class: "to" }, "→") : null, make("span", { class: "one" }, make("i", { class: "dot k-" + (emotion || "unknown") }), emotion || "unknown")]);
  const feelings = [...new Set(turns.filter((turn) => turn.party === "caller").map((turn) => turn.emotion || "unknown"))];
  page.replaceChildren(
    make("div", { class: "top" }, make("a", { href: "#" }, "← All calls"), make("span", {}, step(place - 1, "Previous"), step(place + 1, "Next"))),
    make("h1", { tabindex: "-1" }, make("span", { class: "score" + (call.score >= HOT ? " hot" : ""), title: "attention" }, String(call.score)), " ", name),
    make("div", {}, ...call.reasons.map(([points, why]) => tag(`${plain(why)} +${points}`, "warn"))),
    make("section", { class: "panel" },
      sound,
      call.unheard ? make("p", { class: "soft" }, call.unheard) : null,
      line.element,
      make("p", { class: "key", style: "margin-top:.6rem" }, ...feelings.map((each) => make("span", {}, make("i", { class: "dot k-" + each }), each)), call.parties === 2 ? make("span", {}, make("i", { class: "dot k-agent" }), "agent (no feeling is read)") : null),
      make("dl", { class: "facts" },
        fact("Outcome", `${plain(call.outcome.value)} (${call.outcome.basis}: ${call.outcome.why})`),
        fact("Feeling by thirds", ...third),
        fact("Length", `${clock(call.duration_ms)}, ${Math.round(100 * call.silence)} % silence`),
        fact("Customer", `${call.customer || "unknown"}, ${call.jurisdiction === "UNKNOWN" ? "of an unknown place" : call.jurisdiction}`),
        fact("The caller's voice", call.voice),
        call.withdrawn.length ? fact("Taken back in the call", plain(call.withdrawn.join(", "))) : "",
        call.split ? fact("Who spoke", call.split) : "")),
    make("section", { class: "panel" }, make("h2", {}, "Transcript"), ...turns.map((turn, each) => spoken(turn, each, seek, sound)),
      call.unshown ? make("p", { class: "soft" }, `${call.unshown} more turns are in calls/${name}.json.`) : null,
      turns.length ? null : make("p", { class: "soft" }, "Nobody spoke.")),
    call.promises.length ? make("section", { class: "panel" }, make("h2", {}, "Promised by the agent"), ...call.promises.map(([ms, text]) => make("p", {}, make("span", { class: "soft" }, clock(ms) + " "), make("q", {}, ...marked(text))))) : "",
    call.actions.length ? make("section", { class: "panel" }, make("h2", {}, "Next best action"), ...call.actions.map(([action, why]) => make("p", {}, plain(action), " ", make("span", { class: "soft" }, why)))) : "");
}

let scrolled = 0;
async function route() {
  const name = decodeURIComponent(location.hash.slice(1)).replace(/^call-/, "");
  const one = places.has(name);
  if (one && !overview.hidden) scrolled = scrollY;
  page.querySelector("audio")?.pause();
  if (one) draw(await read(name), name);
  page.hidden = !one;
  overview.hidden = one;
  document.title = one ? name : overview.querySelector("h1").textContent;
  if (one) { scrollTo(0, 0); page.querySelector("h1").focus({ preventScroll: true }); } else { page.replaceChildren(); scrollTo(0, scrolled); }
}
addEventListener("hashchange", route);
if (location.hash.length > 1) route();
