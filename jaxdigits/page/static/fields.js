// Read fields: pictures in, a table to correct out.  Corrections outlive every error.

import { ask, colours, get, make, notice, percent } from "./common.js";

const AT_ONCE = 4; // pictures of a request
const MOST_BYTES = 50_000_000; // of a picture, as the readers
const MOST_FILES = 2000;

export async function start() {
  const rows = []; // {file, reading, error, text, corrected}
  let selected = null, picked = false, turn = 0;
  const select = get("fields-format"), argument = get("fields-argument"), body = get("fields-table").querySelector("tbody");
  const { formats } = await ask("formats");
  select.append(...formats.map(({ name }) => make("option", { value: name }, name)));
  select.value = "amount";
  choose();

  select.onchange = () => (choose(), readAll());
  argument.onchange = readAll;
  get("fields-error").onchange = readAll;
  for (const id of ["fields-files", "fields-camera"]) {
    get(id).onchange = (event) => (add([...event.target.files]), (event.target.value = ""));
  }
  const drop = get("fields-drop");
  drop.ondragover = (event) => (event.preventDefault(), drop.classList.add("over"));
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = (event) => (event.preventDefault(), drop.classList.remove("over"), add([...event.dataTransfer.files]));
  document.addEventListener("paste", (event) => {
    if (!get("fields").hidden && event.clipboardData.files.length) add([...event.clipboardData.files]);
  });
  window.addEventListener("beforeunload", (event) => rows.some((row) => row.corrected) && event.preventDefault());
  get("fields-save").onclick = save;
  get("fields-again").onclick = readAll;
  get("fields-clear").onclick = () => {
    if (rows.some((row) => row.corrected) && !confirm("Leave your corrections?")) return;
    rows.length = 0;
    [selected, picked] = [null, false];
    get("fields-said").textContent = "";
    show();
  };

  function choose() {
    const kind = formats.find(({ name }) => name === select.value);
    argument.closest("label").hidden = !kind.example.includes(":");
    argument.value = kind.example.split(":")[1] ?? "";
    get("fields-about").textContent = `${kind.field}. ${kind.checksum ? `Its checksum does not see ${kind.blind}` : "It has no checksum"}.`;
  }
  const format = () => select.value + (argument.closest("label").hidden || !argument.value ? "" : `:${argument.value}`);

  function add(files) {
    if (files.length > MOST_FILES) notice(`These are ${files.length} files: the first ${MOST_FILES} are read.`);
    const fresh = files.slice(0, MOST_FILES).map((file) => ({ file, text: "" }));
    rows.push(...fresh);
    selected ??= fresh[0];
    read(fresh);
  }
  function readAll() {
    if (rows.length) read(rows.filter((row) => !row.corrected));
  }
  async function read(some) {
    const mine = ++turn, wanted = format();
    const query = new URLSearchParams({ format: wanted });
    if (get("fields-error").value) query.set("max_error", get("fields-error").value);
    for (const row of some) Object.assign(row, { reading: null, error: "", waiting: true });
    busy(true);
    for (let i = 0; i < some.length; i += AT_ONCE) {
      if (mine !== turn && wanted !== format()) return; // the format has changed since
      get("fields-said").textContent = `Reading ${i + 1} of ${some.length} …`;
      await readSome(some.slice(i, i + AT_ONCE), query);
      show();
    }
    busy(false);
    if (!picked) view((selected = rows[0]));
    count();
  }
  function busy(reading) {
    body.classList.toggle("busy", reading); // the readings are of another format
    get("fields-save").disabled = reading;
  }
  function count() {
    const lost = rows.filter((row) => row.error).length, open = rows.filter(unsure).length;
    const left = open - rows.filter((row) => row.error && !row.corrected).length;
    get("fields-said").textContent = `${rows.length - lost} read, ${left ? `${left} to look at` : "none to look at"}` +
      (lost ? `; ${lost} could not be opened.` : ".");
  }
  async function readSome(some, query) {
    const form = new FormData(), sent = [];
    for (const row of some) {
      if (row.file.size > MOST_BYTES) row.error = "over 50 MB: make the picture smaller";
      else sent.push(row), form.append("file", row.file);
    }
    if (!sent.length) return;
    try {
      const { readings } = await ask(`read?${query}`, form);
      sent.forEach((row, i) => {
        const { file, error, ...reading } = readings[i];
        row.waiting = false;
        if (error) row.error = error.replace(`${file}: `, "");
        else Object.assign(row, { reading, text: row.corrected ? row.text : reading.refused ? "" : reading.text });
      });
      notice("");
    } catch (error) {
      for (const row of sent) row.error = "not read";
      notice(error.message);
    }
  }

  const unsure = (row) => !row.corrected && (row.error || !row.reading || row.reading.refused);
  function doubt(row) {
    return row.corrected ? 2 : row.error ? -1 : row.reading ? (row.reading.refused ? row.reading.probability - 1 : row.reading.probability) : -2;
  }
  function show() {
    const none = rows.length === 0;
    for (const id of ["fields-table", "fields-save", "fields-clear"]) get(id).hidden = none;
    get("fields-again").hidden = !rows.some((row) => row.waiting && row.error);
    rows.sort((a, b) => doubt(a) - doubt(b));
    if (!body.contains(document.activeElement) || document.activeElement.tagName !== "INPUT") body.replaceChildren(...rows.map(line));
    view(selected);
  }
  function line(row) {
    const { reading, file } = row, second = reading?.others?.[0];
    const input = make("input", { value: row.text, "aria-label": `reading of ${file.name}`, autocomplete: "off" });
    const [sure, others, remark] = [make("td"), make("td"), make("td")];
    const item = make("tr", {}, make("td", {}, make("button", { type: "button", onclick: pick }, file.name)),
      make("td", {}, input), sure, others, remark);
    item.row = row;
    input.onfocus = pick;
    input.oninput = () => {
      Object.assign(row, { text: input.value, corrected: true });
      paint();
      count();
    };
    const choice = ({ text }) =>
      make("button", { type: "button", class: "choice", onclick: () => ((input.value = text), input.oninput()) }, text);
    if (reading?.refused && reading.text) others.append(...[reading, second].filter(Boolean).map(choice));
    else if (second) others.textContent = `${second.text} (${second.probability < 0.01 ? "< 1 %" : percent(second.probability)})`;
    paint();
    return item;

    function pick() {
      picked = true;
      view(row);
    }
    function paint() {
      item.className = unsure(row) ? "unsure" : "";
      sure.textContent = row.corrected ? "corrected" : reading?.text ? percent(reading.probability) : "–";
      remark.textContent = row.corrected ? "" : row.error || reading?.refused || (row.waiting ? "waiting" : "");
    }
  }
  async function view(row) {
    selected = row;
    for (const item of body.children) item.setAttribute("aria-selected", item.row === row);
    get("fields-view").hidden = !row;
    if (!row) return;
    const canvas = get("fields-canvas"), { reading, file } = row;
    get("fields-caption").textContent = file.name + (reading?.text ? `: ${reading.text}, ${percent(reading.probability)}` : "") +
      (row.error || reading?.refused ? ` – ${row.error || reading.refused}` : "");
    const picture = await createImageBitmap(file).catch(() => null);
    if (selected !== row) return;
    canvas.hidden = !picture; // a browser shows no TIFF
    if (picture) boxed(canvas, picture, reading);
    canvas.setAttribute("aria-label", `${file.name}, each digit in a box`);
  }
  async function save() {
    const cell = (text) => `"${String(text).replaceAll('"', '""')}"`;
    const name = (text) => (/^[=+@\t\r-]/.test(text) ? `'${text}` : text); // no formula in a spreadsheet
    const head = ["file", "text", "probability", "second", "second_probability", "reason", "corrected"];
    const lines = rows.map(({ file, text, reading, error, corrected }) => {
      const second = reading?.others?.[0];
      return [name(file.name), name(text), corrected ? "" : reading?.probability ?? "", second?.text ?? "", second?.probability ?? "",
        error || reading?.refused || "", corrected ? "yes" : ""].map(cell).join(",");
    });
    const url = URL.createObjectURL(new Blob([[head.join(","), ...lines].join("\r\n") + "\r\n"], { type: "text/csv" }));
    make("a", { href: url, download: "readings.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }
}

/** Draw a picture with a box around each digit: blue where the reading is sure, amber where not. */
function boxed(canvas, picture, reading) {
  const { width, height } = picture, scale = Math.min(1600 / Math.max(width, height), Math.max(1, 800 / width));
  Object.assign(canvas, { width: width * scale, height: height * scale });
  const context = canvas.getContext("2d"), colour = colours();
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const second = reading?.others?.[0]?.text.replace(/\D/g, "") ?? "";
  (reading?.spans ?? []).forEach(([left, right], i) => {
    const same = reading.refused ? reading.digits[i] === second[i] && second.length === reading.digits.length : true;
    context.strokeStyle = same ? "#0b63a5" : "#d07a00";
    context.lineWidth = Math.max(2, canvas.height / 60) * (same ? 1 : 2);
    const inset = context.lineWidth;
    context.strokeRect(left * scale + inset / 2, inset, (right - left) * scale - inset, canvas.height - 2 * inset);
    context.fillStyle = context.strokeStyle;
    context.font = `600 ${Math.max(11, canvas.height / 8)}px system-ui`;
    context.fillText(reading.digits[i], left * scale + 2 * inset, canvas.height - 3 * inset);
  });
  canvas.style.borderColor = colour(reading?.refused ? "amber" : "line");
}
