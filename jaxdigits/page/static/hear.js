// Hear: a spoken digit, a drawn one, or both, for a run that has two senses.

import { ask, card, colours, get, latest, make, notice, percent, sharp } from "./common.js";
import { makePad } from "./draw.js";

const LONGEST = 2; // seconds of a recording; the network takes the loudest one

export function start(health) {
  const runs = health.digits.filter((run) => run.senses.includes("sound"));
  get("hear-run").append(...runs.map(({ name }) => make("option", {}, name)));
  let sound = null; // {samples, rate}
  const answer = latest(async () => {
    if (pad.empty && !sound) return get("hear-network").replaceChildren();
    const form = new FormData();
    if (!pad.empty) form.append("image", await pad.blob(), "drawing");
    if (sound) form.append("sound", wav(sound), "recording");
    try {
      const { answers } = await ask(`predict?${new URLSearchParams({ run: get("hear-run").value })}`, form);
      get("hear-network").replaceChildren(card({ name: get("hear-run").value, ...answers[0] }));
      get("hear-said").textContent = `${answers[0].answer}, ${percent(answers[0].probability)}`;
      notice("");
    } catch (error) {
      notice(error.message);
    }
  });
  const pad = makePad(get("hear-canvas"), { changed: answer });
  get("hear-run").onchange = answer;
  get("hear-clear").onclick = () => {
    sound = null;
    wave(get("hear-wave"), []);
    pad.clear();
  };
  get("hear-record").onclick = async () => {
    get("hear-record").disabled = true;
    try {
      get("hear-said").textContent = `Say a digit: ${LONGEST} seconds are recorded.`;
      sound = await record();
      wave(get("hear-wave"), sound.samples);
      get("hear-said").textContent = "Recorded.";
      await answer();
    } catch (error) {
      notice(navigator.mediaDevices ? `No recording: ${error.message}` : "This browser records on localhost or over https only.");
    }
    get("hear-record").disabled = false;
  };
}

async function record() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const context = new AudioContext();
  try {
    await context.audioWorklet.addModule("recorder.js");
    const node = new AudioWorkletNode(context, "recorder"), chunks = [];
    const wanted = LONGEST * context.sampleRate;
    let length = 0;
    await new Promise((done) => {
      node.port.onmessage = ({ data }) => {
        chunks.push(data);
        length += data.length;
        if (length >= wanted) done();
      };
      context.createMediaStreamSource(stream).connect(node);
    });
    const samples = new Float32Array(length);
    chunks.reduce((place, chunk) => (samples.set(chunk, place), place + chunk.length), 0);
    return { samples, rate: context.sampleRate };
  } finally {
    for (const track of stream.getTracks()) track.stop();
    context.close();
  }
}

/** A WAV file of 16 bits and one channel. */
function wav({ samples, rate }) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (place, word) => [...word].forEach((sign, i) => view.setUint8(place + i, sign.charCodeAt(0)));
  text(0, "RIFF"), text(8, "WAVEfmt "), text(36, "data");
  view.setUint32(4, 36 + 2 * samples.length, true);
  view.setUint32(16, 16, true), view.setUint16(20, 1, true), view.setUint16(22, 1, true);
  view.setUint32(24, rate, true), view.setUint32(28, 2 * rate, true), view.setUint16(32, 2, true), view.setUint16(34, 16, true);
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((x, i) => view.setInt16(44 + 2 * i, Math.round(32767 * Math.max(-1, Math.min(1, x))), true));
  return new Blob([view], { type: "audio/wav" });
}

function wave(canvas, samples) {
  const [context, width, height] = sharp(canvas), each = samples.length / width;
  context.fillStyle = colours()("blue");
  for (let x = 0; x < width; x++) {
    let most = 0;
    for (let i = Math.floor(x * each); i < (x + 1) * each; i++) most = Math.max(most, Math.abs(samples[i] ?? 0));
    context.fillRect(x, (height * (1 - most)) / 2, 1, Math.max(1, height * most));
  }
}
