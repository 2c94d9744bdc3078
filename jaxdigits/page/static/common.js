// Small things that every part of the page uses.

const SLOW = 1500; // milliseconds after which the page says that it works
const WORKING = "Working: the first answer of each kind takes a while, as its program is made.";

export const get = (id) => document.getElementById(id);

/** An element with properties, attributes (those with a hyphen or `class`, `scope`) and children. */
export function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class" || key.includes("-") || key === "role") element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children);
  return element;
}

/** The answer of the server as an object; its own line for an error, or one for a lost server. */
export async function ask(path, body) {
  let response;
  const working = setTimeout(() => notice(WORKING), SLOW);
  try {
    response = await fetch(path, body === undefined ? {} : { method: "POST", body });
  } catch {
    throw new Error("No answer: is `jaxdigits page` still running? Nothing on this page is lost.");
  } finally {
    clearTimeout(working);
    if (get("notice").textContent === WORKING) notice("");
  }
  const answer = await response.json().catch(() => ({ error: `status ${response.status}` }));
  if (!response.ok && answer.error) throw new Error(answer.error);
  return answer;
}

export function notice(text) {
  get("notice").textContent = text;
  get("notice").hidden = !text;
}

/** A share in whole percent, rounded down. */
export const percent = (share) => `${Math.floor(100 * share + 1e-9)} %`;

/** One call at a time; of the calls that come meanwhile only the last is made. */
export function latest(work) {
  let busy = false, again = false;
  return async function run() {
    if (busy) return void (again = true);
    busy = true;
    do {
      again = false;
      await work();
    } while (again);
    busy = false;
  };
}

/** A card with the answer of a network: the digit, its probability, a bar for each class. */
export function card(answer) {
  const { name, kind, error, probabilities } = answer;
  const sure = !error && answer.answer === String(answer.digit);
  const title = make("h2", {}, kind && kind !== name ? `${name} · ${kind}` : name);
  const box = make("article", { class: sure ? "card" : "card unsure" }, title);
  const word = error ? "no answer" : answer.answer;
  box.append(make("div", { class: word.length > 2 ? "word long" : "word" }, word,
    make("small", {}, error ? "" : percent(answer.probability))));
  if (error) return box.append(make("p", { class: "note" }, error)), box;
  const bars = make("dl", { class: "bars" });
  const best = Math.max(...Object.values(probabilities));
  for (const [key, share] of Object.entries(probabilities)) {
    const bar = make("progress", { max: 1, value: share, "aria-label": key });
    if (share === best) bar.className = "best";
    bars.append(make("dt", {}, key === "no digit" ? "none" : key), make("dd", {}, bar), make("dd", {}, percent(share)));
  }
  box.append(bars);
  if (answer.answer === "unsure") {
    box.append(make("p", { class: "note" }, `Unsure: an answer is given only where at most ${+(100 * answer.max_error).toFixed(1)} % are wrong.`));
  }
  return box;
}

/** The colours of the page, which change with the screen's. */
export function colours() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(`--${name}`).trim();
}

/** A canvas sharp at the screen's resolution: [context, width, height] in CSS pixels. */
export function sharp(canvas) {
  const scale = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  Object.assign(canvas, { width: Math.round(width * scale), height: Math.round(height * scale) });
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  return [context, width, height];
}
