// Draw: as one draws, every network answers, and shows its inside.

import { ask, card, colours, get, latest, make, notice, percent, sharp } from "./common.js";
import { makePad } from "./draw.js";

const PACE = 70; // milliseconds for a step, as time plays

export function start() {
  const insides = new Map(); // by name, so the slider keeps its place while one draws
  const answer = latest(async () => {
    if (pad.empty) return empty();
    const body = await pad.blob();
    try {
      const { networks } = await ask("look", body);
      if (pad.empty) return empty();
      show(networks);
      notice("");
    } catch (error) {
      notice(error.message);
    }
  });
  const pad = makePad(get("draw-canvas"), { changed: answer });
  get("draw-undo").onclick = pad.undo;
  get("draw-clear").onclick = pad.clear;

  function empty() {
    get("draw-networks").replaceChildren();
    get("draw-inside").replaceChildren();
    get("draw-said").textContent = "Draw with a pen, a finger or a mouse.";
    insides.clear();
  }
  function show(networks) {
    get("draw-said").textContent = networks.map(spoken).join("; ") + ".";
    get("draw-networks").replaceChildren(...networks.map((network) => card(network)));
    let shared; // most networks see the same picture: it is shown once
    for (const network of networks) {
      if (network.error) {
        insides.get(network.name)?.section.remove();
        insides.delete(network.name);
        continue;
      }
      if (!insides.has(network.name)) {
        insides.set(network.name, makeInside());
        get("draw-inside").append(insides.get(network.name).section);
      }
      insides.get(network.name).show(network, network.picture !== shared);
      shared ??= network.picture;
    }
    document.body.dataset.answers = Number(document.body.dataset.answers ?? 0) + 1;
  }
  return pad;
}

function spoken({ name, error, answer, probability }) {
  return error ? `${name}: ${error}` : `${name}: ${answer}, ${percent(probability)}`;
}

function makeInside() {
  const title = make("h2"), panels = make("div", { class: "panels" });
  const slider = make("input", { type: "range", min: 1, value: 1e6, "aria-label": "time step" });
  const play = make("button", { type: "button" }, "Play"), output = make("output");
  const time = make("div", { class: "time" }, play, slider, output), note = make("p", { class: "hint" });
  const section = make("section", { class: "inside" }, title, panels, time, note);
  const image = panel("the picture as the network sees it", "square"), slope = panel("", "square");
  const canvases = new Map();
  let network = null, timer = null;

  function panel(text, kind = "") {
    const canvas = make("canvas", { role: "img" }), caption = make("figcaption", {}, text);
    return { canvas, caption, figure: make("figure", { class: kind }, canvas, caption) };
  }
  function paintTime() {
    const step = Number(slider.value);
    for (const layer of network.layers ?? []) raster(canvases.get(layer.name).canvas, layer, network.steps, step);
    if (network.growth) {
      curves(canvases.get("answer").canvas, network, step);
      const shares = network.growth[step - 1], best = shares.indexOf(Math.max(...shares));
      output.textContent = `step ${step} of ${network.steps}: ${network.classes[best]}, ${percent(shares[best])}`;
    }
  }
  slider.oninput = paintTime;
  play.onclick = () => {
    if (timer) return stop();
    if (Number(slider.value) >= network.steps) slider.value = 1;
    play.textContent = "Pause";
    timer = setInterval(() => {
      if (Number(slider.value) >= network.steps) return stop();
      slider.value = Number(slider.value) + 1;
      paintTime();
    }, PACE);
  };
  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }
  new ResizeObserver(() => network && section.isConnected && paintTime()).observe(panels);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => network && repaint());

  function repaint() {
    pixels(image.canvas, network, (grey) => mix(1 - grey / 255));
    slope.figure.hidden = !network.saliency;
    if (network.saliency) pixels(slope.canvas, network, null);
    if (network.layers) paintTime();
  }
  return {
    section,
    show(now, ownPicture) {
      const atEnd = !network || Number(slider.value) === Number(slider.max);
      network = now;
      title.textContent = `Inside ${network.name === network.kind ? "" : `${network.name} · `}${network.kind}`;
      image.figure.hidden = !ownPicture;
      const word = Object.entries(network.probabilities).reduce((a, b) => (b[1] > a[1] ? b : a))[0];
      slope.caption.textContent = `which pixels decide: more ink in blue places speaks for ${word}, in orange places against it`;
      time.hidden = note.hidden = !network.layers;
      if (network.layers) {
        slider.max = network.steps;
        if (atEnd && !timer) slider.value = network.steps;
        for (const { name } of network.layers) if (!canvases.has(name)) canvases.set(name, panel(""));
        for (const layer of network.layers) {
          canvases.get(layer.name).caption.textContent =
            `${layer.name}: ${layer.firing} of ${layer.neurons} fire, ${layer.rate.toFixed(3)} spikes per neuron and step`;
          canvases.get(layer.name).canvas.setAttribute("aria-label", `spikes of ${layer.name} over time`);
        }
        if (network.growth && !canvases.has("answer")) canvases.set("answer", panel("the answer grows"));
        note.textContent = operations(network.operations);
      }
      const all = [image, slope, ...canvases.values()].map((one) => one.figure);
      if (panels.children.length !== all.length) panels.replaceChildren(...all);
      image.canvas.setAttribute("aria-label", "the picture as the network sees it");
      slope.canvas.setAttribute("aria-label", "the pixels that decide");
      canvases.get("answer")?.canvas.setAttribute("aria-label", "probability of each class after each step");
      repaint();
    },
  };
}

function operations(ops) {
  if (!ops) return "";
  const count = (x) => Math.round(x).toLocaleString("en");
  return `${count(ops.accumulates)} synaptic operations` +
    (ops.multiply_accumulates ? ` and ${count(ops.multiply_accumulates)} products` : "") +
    ` of ${count(ops.dense)} possible ones; about ${ops.energy_nj.toFixed(0)} nJ of arithmetic (45 nm, float32).`;
}

const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));

/** From ink to paper: the colour of a grey in 0..1. */
function mix(light) {
  const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  const level = Math.round(255 * (dark ? 0.11 + 0.85 * (1 - light) : 0.12 + 0.88 * light));
  return [level, level, level];
}

function pixels(canvas, { width, height, picture, saliency }, colour) {
  const values = bytes(colour ? picture : saliency), signed = new Int8Array(values.buffer);
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d"), image = context.createImageData(width, height);
  const paper = mix(1);
  for (let i = 0; i < values.length; i++) {
    const share = Math.abs(signed[i]) / 127, tint = signed[i] > 0 ? [20, 120, 200] : [230, 130, 20];
    const rgb = colour ? colour(values[i]) : paper.map((p, k) => p + share * (tint[k] - p));
    image.data.set([...rgb, 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
}

function raster(canvas, { rows, spikes }, steps, step) {
  const [context, width, height] = sharp(canvas), colour = colours(), bits = bytes(spikes);
  const dx = width / steps, dy = Math.min(6, height / Math.max(rows, 1)), lit = colour("ink"), pale = colour("pale");
  context.fillStyle = colour("line");
  context.fillRect(0, height - 1, width, 1);
  for (let t = 0; t < steps; t++) {
    context.fillStyle = t < step ? lit : pale;
    for (let n = 0; n < rows; n++) {
      const k = t * rows + n;
      if ((bits[k >> 3] >> (7 - (k & 7))) & 1) context.fillRect((t + 0.5) * dx - 0.8, n * dy, 1.6, dy * 0.85);
    }
  }
  context.fillStyle = colour("blue");
  context.fillRect((step - 0.5) * dx, 0, 1, height);
}

function curves(canvas, { growth, steps }, step) {
  const [context, width, height] = sharp(canvas), colour = colours(), last = growth[step - 1];
  const best = last.indexOf(Math.max(...last)), dx = width / steps;
  const y = (share) => 4 + (height - 8) * (1 - share), x = (t) => (t + 0.5) * dx;
  context.fillStyle = colour("line");
  context.fillRect(0, height - 1, width, 1);
  const order = last.map((_, k) => k).sort((a, b) => (a === best) - (b === best));
  for (const k of order) {
    context.strokeStyle = k === best ? colour("blue") : colour("pale");
    context.lineWidth = k === best ? 2.5 : 1.2;
    context.globalAlpha = 0.35; // of the steps to come
    line(growth.map((shares, t) => [x(t), y(shares[k])]));
    context.globalAlpha = 1;
    line(growth.slice(0, step).map((shares, t) => [x(t), y(shares[k])]));
  }
  context.fillStyle = colour("blue");
  context.fillRect(x(step - 1), 0, 1, height);
  function line(points) {
    context.beginPath();
    points.forEach(([a, b], i) => (i ? context.lineTo(a, b) : context.moveTo(a, b)));
    context.stroke();
  }
}
