// How the caller feels over the call, where they allow it: a line of valence with a dot for each turn.
import { make } from "./call.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 300;
const HEIGHT = 96;
const MOST = 16;

export function drawMood(place, { consent, turns, live }) {
  if (!consent.emotion_voice && !consent.emotion_words) {
    place.replaceChildren(make("p", "no-consent", "Not analysed: no consent."));
    return;
  }
  const parts = [];
  if (!consent.emotion_voice) {
    parts.push(make("p", "no-consent", "Voice not analysed: no consent. From the words alone:"));
  }
  const known = turns.filter((turn) => turn.feeling?.top).slice(-MOST);
  const current = live && live.turn > (turns.at(-1)?.turn ?? 0) ? live.feeling : turns.at(-1)?.feeling;
  parts.push(make("p", "mood-now", words(current)));
  if (known.length) parts.push(chart(known), table(known));
  place.replaceChildren(...parts);
}

function words(feeling) {
  if (!feeling) return "Nothing heard yet.";
  if (feeling.abstained) return `No reading: ${feeling.abstained}.`;
  const strength = feeling.intensity === "none" ? "" : `, ${feeling.intensity}`;
  return `${feeling.top}${strength} (${Math.round(feeling.confidence * 100)} % sure)`;
}

function chart(turns) {
  const svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", "aria-hidden": "true" });
  const step = WIDTH / (turns.length + 1);
  const at = (turn, index) => [step * (index + 1), HEIGHT / 2 - 4 - turn.feeling.valence * (HEIGHT / 2 - 18)];
  svg.append(draw("line", { x1: 0, x2: WIDTH, y1: HEIGHT / 2 - 4, y2: HEIGHT / 2 - 4, class: "zero" }));
  for (const [y, text] of [[10, "pleased"], [HEIGHT - 18, "displeased"]]) {
    const label = draw("text", { x: 0, y, class: "axis" });
    label.textContent = text;
    svg.append(label);
  }
  const points = turns.map((turn, index) => at(turn, index));
  svg.append(draw("polyline", { points: points.map((point) => point.join(",")).join(" "), class: "course" }));
  turns.forEach((turn, index) => {
    const [x, y] = points[index];
    const radius = { none: 3.5, low: 4.5, medium: 6, high: 8 }[turn.feeling.intensity] ?? 4;
    svg.append(draw("circle", { cx: x, cy: y, r: radius, class: "dot", "data-mood": turn.feeling.top }));
    if (turns.length <= 8) {
      const label = draw("text", { x, y: HEIGHT - 4, class: "label" });
      label.textContent = turn.feeling.top;
      svg.append(label);
    }
  });
  return svg;
}

function table(turns) {
  const list = make("ol", "unseen");
  for (const turn of turns) list.append(make("li", "", words(turn.feeling)));
  return list;
}

function draw(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
