// The parts of the page, one at a time; each starts when it is first shown.

import { ask, get, notice } from "./common.js";

const PARTS = { draw: "./look.js", fields: "./fields.js", sums: "./sums.js", hear: "./hear.js" };
const started = new Map();

async function show() {
  const hash = location.hash.slice(1);
  if (!(hash in PARTS) && started.size) return; // a place inside the part
  const name = hash in PARTS ? hash : "draw";
  for (const part of Object.keys(PARTS)) get(part).hidden = part !== name;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${get(`${name}-title`).textContent} · jaxdigits`;
  if (!started.has(name)) started.set(name, import(PARTS[name]).then((part) => part.start(health)));
  await started.get(name).catch((error) => notice(error.message));
  document.body.dataset.part = name;
}

if (!window.PointerEvent) notice("This browser is too old to draw with: it has no pointer events. Reading files works.");
const health = await ask("health").catch((error) => (notice(error.message), { digits: [], strings: [] }));
document.querySelector('nav a[href="#hear"]').hidden = !health.digits.some((run) => run.senses.includes("sound"));
window.addEventListener("hashchange", show);
await show();
