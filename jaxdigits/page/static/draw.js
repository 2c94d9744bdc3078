// A pad to write on: by pen, finger or mouse, or by keys.  It knows nothing of any server.
//
// Strokes are lists of points in units of the pad's height, so they are drawn again at any size.

const WIDTH = 0.07; // of the pen, in heights
const STEP = 0.02; // heights that an arrow key moves the pen

export function makePad(canvas, { label = "paper to draw a digit on", changed = () => {} } = {}) {
  const strokes = [];
  let stroke = null; // the one under the pen
  let cursor = null; // the place of the pen by keys
  const aspect = () => canvas.clientWidth / canvas.clientHeight || 1;

  canvas.classList.add("pad");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-roledescription", "drawing pad");
  canvas.setAttribute("aria-label", label + ": arrow keys move the pen, space sets it down or lifts it, " +
    "backspace takes back a stroke, escape clears");

  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.height, (event.clientY - box.top) / box.height];
  }
  function update() {
    show();
    changed();
  }
  function show() {
    const scale = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * scale), height = Math.round(canvas.clientHeight * scale);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    paint(context, strokes, height, getComputedStyle(canvas).color);
    if (cursor && document.activeElement === canvas) {
      context.beginPath();
      context.arc(cursor[0] * height, cursor[1] * height, 0.03 * height, 0, 7);
      context.strokeStyle = getComputedStyle(canvas).getPropertyValue("--blue");
      context.lineWidth = (stroke ? 5 : 2) * scale;
      context.stroke();
    }
  }
  function end() {
    stroke = null;
    show();
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button > 0 || !event.isPrimary) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    canvas.classList.add("pen"); // so no ring of focus surrounds the hand
    cursor = null;
    stroke = [place(event)];
    strokes.push(stroke);
    update();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!stroke || cursor || !event.isPrimary) return;
    const all = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const one of all.length ? all : [event]) stroke.push(place(one));
    update();
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => cursor || end());
  canvas.addEventListener("blur", end);
  canvas.addEventListener("focus", show);
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    canvas.classList.remove("pen");
    if (move) {
      cursor ??= [aspect() / 2, 0.5];
      const limit = (x, most) => Math.min(most, Math.max(0, x));
      const step = STEP * (event.shiftKey ? 4 : 1);
      cursor = [limit(cursor[0] + step * move[0], aspect()), limit(cursor[1] + step * move[1], 1)];
      if (stroke) stroke.push(cursor);
      stroke ? update() : show();
    } else if (event.key === " ") {
      cursor ??= [aspect() / 2, 0.5];
      if (stroke) end();
      else {
        stroke = [cursor];
        strokes.push(stroke);
        update();
      }
    } else if (event.key === "Backspace") pad.undo();
    else if (event.key === "Escape") pad.clear();
    else return;
    event.preventDefault();
  });
  new ResizeObserver(show).observe(canvas);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);

  const pad = {
    strokes,
    get empty() {
      return strokes.length === 0;
    },
    undo() {
      stroke = null;
      strokes.pop();
      update();
    },
    clear() {
      stroke = null;
      strokes.length = 0;
      update();
    },
    /** The drawing on a canvas of its own, black on white, this many pixels high. */
    picture(height = 140) {
      return inked(strokes, Math.round(height * aspect()), height);
    },
    /** The drawing as a PNG. */
    blob(height = 140) {
      return new Promise((done) => pad.picture(height).toBlob(done, "image/png"));
    },
  };
  show();
  return pad;
}

/** A canvas with strokes, black on white. */
export function inked(strokes, width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  paint(context, strokes, height, "#000");
  return canvas;
}

function paint(context, strokes, height, colour) {
  Object.assign(context, { lineCap: "round", lineJoin: "round", lineWidth: WIDTH * height, strokeStyle: colour });
  for (const stroke of strokes) {
    context.beginPath();
    stroke.forEach(([x, y], i) => (i ? context.lineTo(x * height, y * height) : context.moveTo(x * height, y * height)));
    if (stroke.length === 1) context.lineTo(stroke[0][0] * height, stroke[0][1] * height + 0.01);
    context.stroke();
  }
}
