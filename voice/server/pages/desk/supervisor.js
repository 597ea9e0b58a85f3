// For supervisors: the desk in numbers, and the newest entries of the audit log.
import { make } from "./call.js";

const byId = (id) => document.getElementById(id);
const NAMES = {
  under_way: "calls",
  most_calls: "at most",
  with_agents: "with agents",
  asked_first: "asked first",
  want_a_person: "want a person",
  to_wrap_up: "to wrap up",
};

export function openLedger(told) {
  const figures = byId("figures");
  figures.replaceChildren();
  for (const [key, name] of Object.entries(NAMES)) {
    const pair = make("div");
    pair.append(make("dt", "", name), make("dd", "", String(told.figures[key])));
    figures.append(pair);
  }
  const { whole, entries, problem } = told.chain;
  byId("chain").textContent = whole ? `The chain of ${entries} entries is whole.` : `The chain is broken: ${problem}.`;
  byId("chain").dataset.whole = String(whole);
  byId("entries").replaceChildren(...told.entries.map(row));
  byId("ledger").showModal();
}

function row(entry) {
  const line = make("tr");
  const detail = Object.entries(entry.detail).map(([name, value]) => `${name} ${value}`).join(", ");
  const about = entry.subject ? `customer ${entry.subject.slice(0, 8)}` : "nobody in particular";
  const when = new Date(entry.at).toLocaleString();
  for (const text of [when, entry.kind.replaceAll("_", " "), about, detail]) line.append(make("td", "", text));
  return line;
}

byId("ledger-close").addEventListener("click", () => byId("ledger").close());
