"use strict";
/* The page: strokes or a picture -> the answer, its probabilities, and the spikes behind it. */
(() => {
  const SIDE = 96;    // pixels of the drawing that is read: so few are read within a frame
  const PEN = 0.075;  // width of the pen, of the paper's side
  const KEY = 0.03;   // a step of the arrow keys, of the paper's side
  const LARGEST = 64e6, LONGEST = 16384; // pixels of a picture, and of its side
  const STRIP = 256;  // rows of a picture that are read at once
  const WARM = 12;    // rehearsals before the first stroke
  const FRAME = 90;   // milliseconds of a time step in play

  const at = (id) => document.getElementById(id);
  const net = network.read(JSON.parse(at("network").textContent));
  const paper = at("paper"), pen = paper.getContext("2d");
  const sheet = Object.assign(document.createElement("canvas"), {width: SIDE, height: SIDE});
  const plain = sheet.getContext("2d", {willReadFrequently: true});
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  let strokes = [], photo = null, cursor = null, since = null, shown = null, playing = 0;

  // ---- drawing -----------------------------------------------------------------------------

  function drawStrokes(context, side) {
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = PEN * side;
    for (const stroke of strokes) {
      context.beginPath();
      context.moveTo(stroke[0].x * side, stroke[0].y * side);
      for (const {x, y} of stroke) context.lineTo(x * side, y * side);
      context.stroke();
    }
  }

  function paint() {
    const side = Math.round(paper.clientWidth * (window.devicePixelRatio || 1));
    if (paper.width !== side) paper.width = paper.height = side;
    pen.clearRect(0, 0, side, side);
    if (photo) {
      const scale = side / Math.max(photo.width, photo.height);
      const [w, h] = [photo.width * scale, photo.height * scale];
      pen.drawImage(photo, (side - w) / 2, (side - h) / 2, w, h);
    }
    pen.strokeStyle = style("--ink");
    drawStrokes(pen, side);
    if (cursor) {
      pen.fillStyle = style("--accent");
      pen.fillRect(cursor.x * side - 4, cursor.y * side - 4, 8, 8);
    }
  }

  function greyOfDrawing() {
    plain.fillStyle = "#fff";
    plain.fillRect(0, 0, SIDE, SIDE);
    plain.strokeStyle = "#000";
    drawStrokes(plain, SIDE);
    const reader = prepare.reader(SIDE, SIDE);
    reader.add(plain.getImageData(0, 0, SIDE, SIDE).data, 0);
    return reader.grey();
  }

  function changed(event) { // answer once a frame, however many events there are
    if (since === null) {
      since = event ? event.timeStamp : performance.now();
      requestAnimationFrame(() => {
        paint();
        if (strokes.length) answer(greyOfDrawing()); else if (!photo) nothing();
        performance.clearMeasures();
        performance.measure("stroke to answer", {start: since, end: performance.now()});
        since = null;
      });
    }
  }

  function begin(point) {
    if (photo) { photo = null; strokes = []; }
    strokes.push([point]);
  }

  function clear() {
    strokes = [];
    photo = cursor = null;
    changed();
  }

  const pointOf = (event) => {
    const box = paper.getBoundingClientRect();
    return {x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height};
  };
  paper.addEventListener("pointerdown", (event) => {
    if (event.button || !event.isPrimary) return;
    paper.setPointerCapture(event.pointerId);
    cursor = null;
    begin(pointOf(event));
    changed(event);
  });
  paper.addEventListener("pointermove", (event) => {
    if (!paper.hasPointerCapture(event.pointerId)) return;
    const all = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const each of all.length ? all : [event]) strokes.at(-1).push(pointOf(each));
    changed(event);
  });

  const MOVES = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
  paper.addEventListener("keydown", (event) => {
    if (event.key === "Escape") clear();
    else if (event.key === " " || MOVES[event.key]) {
      cursor = cursor || {x: 0.5, y: 0.5, down: false};
      if (event.key === " ") {
        cursor.down = !cursor.down;
        if (cursor.down) begin({x: cursor.x, y: cursor.y});
      } else {
        const [x, y] = MOVES[event.key].map((d) => d * KEY);
        cursor.x = Math.min(1, Math.max(0, cursor.x + x));
        cursor.y = Math.min(1, Math.max(0, cursor.y + y));
        if (cursor.down) strokes.at(-1).push({x: cursor.x, y: cursor.y});
      }
      event.preventDefault();
      changed(event);
    }
  });
  at("clear").onclick = clear;
  at("undo").onclick = () => { strokes.pop(); photo = cursor = null; changed(); };

  // ---- pictures ----------------------------------------------------------------------------

  const refuse = (name, reason) => { nothing(); say("–", `${name || "The picture"} ${reason}.`); };

  async function bitmapOf(file) {
    const options = {colorSpaceConversion: "none", premultiplyAlpha: "none"};
    try {
      return await createImageBitmap(file, {imageOrientation: "from-image", ...options});
    } catch {
      return null;
    }
  }

  function greyOfBitmap(bitmap) { // in strips, as a camera's picture is large
    const {width, height} = bitmap, reader = prepare.reader(height, width);
    const strip = reader.step * Math.ceil(STRIP / reader.step);
    for (let top = 0; top < height; top += strip) {
      const rows = Math.min(strip, height - top);
      const canvas = Object.assign(document.createElement("canvas"), {width, height: rows});
      const context = canvas.getContext("2d", {willReadFrequently: true});
      context.drawImage(bitmap, 0, -top);
      reader.add(context.getImageData(0, 0, width, rows).data, top);
    }
    return reader.grey();
  }

  async function open(file) {
    const bitmap = await bitmapOf(file);
    strokes = [];
    photo = cursor = null;
    paint();
    if (!bitmap) return refuse(file.name, "is no picture for this browser: try a PNG or a JPEG");
    if (bitmap.width * bitmap.height > LARGEST || Math.max(bitmap.width, bitmap.height) > LONGEST)
      return refuse(file.name, "is too large: make it smaller");
    photo = bitmap;
    paint();
    return answer(greyOfBitmap(bitmap));
  }

  const imageIn = (list) => Array.from(list || []).find((f) => f.type.startsWith("image/"));
  at("open").onclick = () => at("file").click();
  at("file").onchange = () => { if (at("file").files[0]) open(at("file").files[0]); };
  addEventListener("paste", (event) => {
    const file = imageIn(event.clipboardData && event.clipboardData.files);
    if (file) open(file);
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
  });

  // ---- the answer --------------------------------------------------------------------------

  const percent = (p) => (p === 1 || p < 1e-9 ? `${100 * Math.round(p)} %` : p < 0.01 ? "< 1 %"
    : `${Math.floor(100 * p)} %`); // rounded down, as `predict`

  function say(word, note, doubt = false) {
    at("word").textContent = word;
    at("word").className = `${word.length > 2 ? "long" : ""} ${doubt ? "doubt" : ""}`;
    at("note").textContent = note;
  }

  function nothing() {
    shown = null;
    say("", "The answer appears as you draw.");
    bars(net.names.map(() => 0));
    see(new Uint8Array(net.shape[0] * net.shape[1]));
    at("spikes").hidden = true;
  }

  function see(bytes) {
    const image = new ImageData(net.shape[1], net.shape[0]);
    bytes.forEach((v, i) => image.data.set([255 - v, 255 - v, 255 - v, 255], 4 * i));
    at("seen").getContext("2d").putImageData(image, 0, 0);
  }

  const items = net.names.map((name) => {
    const item = document.createElement("li"), bar = document.createElement("i");
    const fill = document.createElement("span"), [label, share] = [0, 1].map(() =>
      document.createElement("span"));
    label.textContent = name;
    bar.append(fill);
    item.append(label, bar, share);
    at("bars").append(item);
    return (p, best) => {
      fill.style.width = `${100 * p}%`;
      share.textContent = percent(p);
      item.className = best ? "best" : "";
    };
  });

  function bars(shares) {
    const best = Math.max(...shares);
    items.forEach((show, i) => show(shares[i], best > 0 && shares[i] === best));
  }

  function conclude(shares) {
    const best = Math.max(...shares), name = net.names[shares.indexOf(best)];
    const unsure = net.unsure && best <= net.unsure.limit;
    if (unsure) say("unsure", `Perhaps ${name}: ${percent(best)}.`, true);
    else say(name, `${percent(best)} sure.`);
    bars(shares);
  }

  function answer(grey) {
    let bytes;
    try {
      bytes = prepare.toMnistGeometry(grey);
    } catch (error) {
      if (!(error instanceof prepare.NoDigit)) throw error;
      nothing();
      return say("–", `${error.message[0].toUpperCase()}${error.message.slice(1)}.`);
    }
    clearInterval(playing);
    shown = network.predict(net, bytes);
    at("step").max = at("step").value = shown.growing.length;
    see(bytes);
    if (shown.growing.length) showSpikes(); else conclude(shown.probabilities);
  }

  // ---- spikes ------------------------------------------------------------------------------

  const panels = [];
  const colour = {}; // of ink, as [red, green, blue]

  function readColour() {
    colour.ink = style("--ink").match(/[0-9a-f]{2}/gi).map((digits) => parseInt(digits, 16));
  }

  function panel(i, make) { // the i-th heading and figure, which stay from one answer to the next
    if (!panels[i]) {
      panels[i] = {heading: document.createElement("h2"), figure: make()};
      panels[i].figure.setAttribute("role", "img");
      at("rasters").append(panels[i].heading, panels[i].figure);
    }
    return panels[i];
  }

  function describe({heading, figure}, text) {
    heading.textContent = text;
    figure.setAttribute("aria-label", text);
  }

  function showSpikes() {
    const steps = shown ? shown.growing.length : 0, now = +at("step").value;
    at("spikes").hidden = !steps;
    if (!steps) return;
    at("at").textContent = `${now} of ${steps}`;
    const numbered = shown.layers[0].name === "pixels" ? 0 : 1;
    shown.layers.forEach((layer, i) => {
      const each = (layer.spikes.reduce((a, b) => a + b, 0) / layer.n).toFixed(1);
      const name = layer.name === "pixels" ? "Pixels" : `Layer ${i + numbered}`;
      const own = panel(i, () => document.createElement("canvas"));
      describe(own, `${name}: ${layer.n} with ${each} spikes each on average`);
      figures.drawRaster(own.figure, layer, {steps, now, ink: colour.ink});
    });
    const answers = panel(shown.layers.length, () => figures.makeGrowth(net.names.length));
    describe(answers, "The answer so far: the probability of each class");
    figures.drawGrowth(answers.figure, shown.growing, now);
    at("counts").textContent = `${shown.sums.toLocaleString("en")} weights added in all.`;
    conclude(shown.growing[now - 1]);
  }

  at("step").oninput = showSpikes;
  at("play").onclick = () => {
    clearInterval(playing);
    at("step").value = 1;
    showSpikes();
    playing = setInterval(() => {
      if (!shown || +at("step").value >= +at("step").max) return clearInterval(playing);
      at("step").value++;
      return showSpikes();
    }, FRAME);
  };

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    readColour();
    paint();
    showSpikes();
  });
  addEventListener("resize", paint);
  readColour();
  nothing();
  paint();
  // An engine compiles functions that it has run some times: before the first stroke, not in it.
  const bar = Float32Array.from({length: SIDE ** 2}, (_, i) => (i % SIDE >> 2 === 12 ? 0 : 255));
  (function rehearse(times) {
    network.predict(net, prepare.toMnistGeometry({h: SIDE, w: SIDE, a: bar}));
    if (times > 1) setTimeout(rehearse, 20, times - 1);
  })(WARM);
})();
