// Practise sums: the answer is read without a look at the expected one, and then compared.

import { ask, get, make, notice, percent } from "./common.js";
import { inked, makePad } from "./draw.js";

const KINDS = { "+": (a, b) => a + b, "−": (a, b) => a - b, "×": (a, b) => a * b };

export function start() {
  const done = []; // {sum, expected, read, probability, verdict, strokes}
  let task = null, busy = false;
  const pad = makePad(get("sums-canvas"), { label: "paper for the answer" });
  get("sums-undo").onclick = pad.undo;
  get("sums-clear").onclick = pad.clear;
  get("sums-start").onsubmit = (event) => (event.preventDefault(), begin());
  get("sums-check").onclick = check;
  get("sums-canvas").addEventListener("keydown", (event) => event.key === "Enter" && check());
  get("sums-end").onclick = report;
  get("sums-again").onclick = () => part("start");
  get("sums-print").onclick = () => window.print();
  window.addEventListener("beforeunload", (event) => done.length && !get("sums-work").hidden && event.preventDefault());

  function part(name) {
    for (const each of ["start", "work", "report"]) get(`sums-${each}`).hidden = each !== name;
  }
  const chosen = () => [...document.querySelectorAll("#sums-start [name=kind]:checked")].map((box) => box.value);
  function begin() {
    notice(chosen().length ? "" : "Choose at least one kind of sums: plus, minus or times.");
    if (!chosen().length) return;
    done.length = 0;
    get("sums-said").textContent = "";
    part("work");
    next();
  }
  function next() {
    const kinds = chosen();
    task = makeSum(Number(get("sums-level").value), kinds);
    get("sums-sum").textContent = `${task.sum} =`;
    pad.clear();
    get("sums-canvas").focus({ preventScroll: true });
    count();
  }
  function say(kind, text) {
    get("sums-said").replaceChildren(make("span", { class: kind }, text));
  }
  async function check() {
    if (busy) return;
    if (pad.empty) return say("again", "Write the answer first.");
    busy = true;
    try {
      const { text, probability, refused } = await ask("number", await pad.blob(160));
      const verdict = refused ? "again" : Number(text) === task.expected ? "right" : "wrong";
      done.push({ ...task, read: text, probability, verdict, strokes: pad.strokes.map((stroke) => [...stroke]), aspect: pad.picture(10).width / 10 });
      notice("");
      if (verdict === "again") {
        say("again", "Please write it again: it could not be read for sure.");
        pad.clear();
        get("sums-canvas").focus({ preventScroll: true });
      } else {
        say(verdict, verdict === "right" ? `Right: ${task.sum} = ${task.expected}` : `Wrong: ${task.sum} = ${task.expected}, not ${Number(text)}`);
        next();
      }
      count();
    } catch (error) {
      notice(error.message);
    } finally {
      busy = false;
    }
  }
  const number = (verdict) => done.filter((one) => one.verdict === verdict).length;
  const total = () => `${number("right")} right, ${number("wrong")} wrong, ${number("again")} written again`;
  function count() {
    get("sums-count").textContent = done.length ? total() : "Write the answer with a pen, a finger, a mouse, or the keys; Enter checks it.";
  }
  function report() {
    part("report");
    const level = get("sums-level").selectedOptions[0].textContent;
    get("sums-total").textContent = `${new Date().toLocaleDateString()}, numbers ${level}: ${total()}.`;
    get("sums-report").querySelector("tbody").replaceChildren(...done.map((one) => {
      const picture = inked(one.strokes, Math.round(84 * one.aspect), 84);
      picture.setAttribute("role", "img");
      picture.setAttribute("aria-label", "the handwriting");
      return make("tr", {}, make("td", {}, `${one.sum} = ${one.expected}`), make("td", {}, picture), make("td", {}, one.verdict === "again" ? "–" : one.read),
        make("td", {}, percent(one.probability)), make("td", {}, make("span", { class: one.verdict }, one.verdict)));
    }));
    get("sums-report").querySelector("h2").scrollIntoView();
  }
}

/** A sum of a kind whose numbers are from 1 to the level, and the answer at most that; products are of a table. */
function makeSum(level, kinds) {
  const upTo = (most) => 1 + Math.floor(Math.random() * most);
  const kind = kinds[upTo(kinds.length) - 1];
  let [a, b] = kind === "×" ? [upTo(Math.max(3, Math.floor(level / 10))), upTo(10)] : [upTo(level - (kind === "+")), 0];
  if (kind === "+") b = upTo(level - a);
  if (kind === "−") b = upTo(a);
  return { sum: `${a} ${kind} ${b}`, expected: KINDS[kind](a, b) };
}
