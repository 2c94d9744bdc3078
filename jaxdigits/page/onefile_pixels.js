"use strict";
/* Pictures and masks, and their filters, as NumPy and SciPy have them.

   A picture is {h, w, a}, with a its pixels row by row.  NumPy's float32 is Math.fround or a
   Float32Array here, so both find the same bits. */
const pixels = (() => {
  const f32 = Math.fround;

  // ---- arrays ------------------------------------------------------------------------------

  const picture = (h, w, make) => ({h, w, a: new make(h * w)});
  function like({h, w, a}, f, make = a.constructor) {
    const out = picture(h, w, make); // a loop is ten times as fast as `from`
    for (let i = 0; i < a.length; i++) out.a[i] = f(a[i], i);
    return out;
  }
  const maskOf = (g, f) => like(g, (v, i) => (f(v, i) ? 1 : 0), Uint8Array);
  function sum(a) {
    let total = 0;
    for (let i = 0; i < a.length; i++) total += a[i];
    return total;
  }
  function largest(a) {
    let most = -Infinity;
    for (let i = 0; i < a.length; i++) if (a[i] > most) most = a[i];
    return most;
  }
  function least(a) {
    let low = Infinity;
    for (let i = 0; i < a.length; i++) if (a[i] < low) low = a[i];
    return low;
  }
  const longer = (g) => Math.max(g.h, g.w);
  const clip = (x, low, high) => Math.min(Math.max(x, low), high);

  function roundEven(x) { // of two whole numbers as near, the even one: as Python and NumPy
    const r = Math.round(x);
    return r - x === 0.5 && r % 2 ? r - 1 : r;
  }

  function transposed({h, w, a}) {
    const t = picture(w, h, a.constructor);
    for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) t.a[x * h + y] = a[y * w + x];
    return t;
  }

  function edge({h, w, a}) { // the outermost pixels; corners come twice
    const e = new a.constructor(2 * (h + w));
    for (let x = 0; x < w; x++) { e[x] = a[x]; e[w + x] = a[(h - 1) * w + x]; }
    for (let y = 0; y < h; y++) { e[2 * w + y] = a[y * w]; e[2 * w + h + y] = a[(y + 1) * w - 1]; }
    return e;
  }

  function kth(values, k) { // quickselect: the value of rank k, from 0; `values` are reordered
    let low = 0, high = values.length - 1;
    while (low < high) {
      const pivot = values[(low + high) >> 1];
      let i = low, j = high;
      while (i <= j) {
        while (values[i] < pivot) i++;
        while (values[j] > pivot) j--;
        if (i <= j) { const v = values[i]; values[i++] = values[j]; values[j--] = v; }
      }
      if (k <= j) high = j; else if (k >= i) low = i; else break;
    }
    return values[k];
  }

  function median(array) { // in the precision of the array; NaN of none
    const values = array.slice(), half = values.length >> 1;
    const upper = kth(values, half);
    if (values.length % 2 || !values.length) return values.length ? upper : NaN;
    const both = largest(values.subarray(0, half)) + upper;
    return values instanceof Float32Array ? f32(f32(both) / 2) : both / 2;
  }

  function quantile(array, q) {
    const values = new Float64Array(array).sort(), at = q * (values.length - 1);
    const i = Math.floor(at);
    return values[i] + (at - i) * (values[Math.min(i + 1, values.length - 1)] - values[i]);
  }

  function spanOf(flags) { // [first, last] of the flags that are set
    let first = -1, last = -1;
    flags.forEach((flag, i) => { if (flag) { last = i; if (first < 0) first = i; } });
    return [first, last];
  }

  function spans({h, w, a}, test = (v) => v) { // of the rows and of the columns with such a pixel
    const rows = new Uint8Array(h), columns = new Uint8Array(w);
    for (let y = 0, i = 0; y < h; y++) for (let x = 0; x < w; x++, i++)
      if (test(a[i])) rows[y] = columns[x] = 1;
    return [spanOf(rows), spanOf(columns)];
  }

  function cut(g, [[top, bottom], [left, right]]) {
    const c = picture(bottom - top + 1, right - left + 1, g.a.constructor);
    for (let y = 0; y < c.h; y++)
      c.a.set(g.a.subarray((top + y) * g.w + left, (top + y) * g.w + right + 1), y * c.w);
    return c;
  }

  // ---- filters -----------------------------------------------------------------------------

  function alongLines(g, sizeOf, mode, filter) { // on each row, and on each column
    const byRows = (p) => { // filter(wide, out, start, n, size): n values from `start` on
      const q = picture(p.h, p.w, p.a.constructor), size = sizeOf(p.w), before = size >> 1;
      const wide = new Float32Array(p.w + size - 1);
      for (let y = 0; y < p.h; y++) {
        const start = y * p.w, end = start + p.w - 1;
        for (let i = 0; i < p.w; i++) wide[before + i] = p.a[start + i];
        wide.fill(mode === "nearest" ? p.a[start] : 0, 0, before);
        wide.fill(mode === "nearest" ? p.a[end] : 0, before + p.w);
        filter(wide, q.a, start, p.w, size);
      }
      return q;
    };
    return byRows(transposed(byRows(transposed(g)))); // columns first, as SciPy
  }

  function extreme(g, sizeOf, sign) { // van Herk: extremes of blocks from both of their ends
    const most = Math.max(g.h + sizeOf(g.h), g.w + sizeOf(g.w));
    const from = new Float32Array(most), to = new Float32Array(most);
    return alongLines(g, sizeOf, "nearest", (wide, out, first, count, size) => {
      const n = wide.length;
      for (let start = 0; start < n; start += size) {
        const last = Math.min(start + size, n) - 1;
        for (let i = start, most = -Infinity; i <= last; i++) {
          const v = sign * wide[i];
          to[i] = most = v > most ? v : most;
        }
        for (let i = last, most = -Infinity; i >= start; i--) {
          const v = sign * wide[i];
          from[i] = most = v > most ? v : most;
        }
      }
      for (let i = 0; i < count; i++) {
        const a = from[i], b = to[i + size - 1];
        out[first + i] = sign * (a > b ? a : b);
      }
    });
  }
  const dilated = (g, size) => (size > 1 ? extreme(g, () => size, 1) : g);

  function uniform(g, size, mode = "nearest") {
    if (size === 1) return g;
    return alongLines(g, () => size, mode, (wide, out, first, count) => {
      let total = 0;
      for (let i = 0; i < size; i++) total += wide[i];
      out[first] = total / size;
      for (let i = 1; i < count; i++) {
        total += wide[i + size - 1] - wide[i - 1];
        out[first + i] = total / size;
      }
    });
  }

  function label(mask) { // numbers of the connected parts, from 1 on
    const {h, w} = mask, numbers = picture(h, w, Int32Array), stack = [];
    let count = 0;
    const push = (i) => {
      if (mask.a[i] && !numbers.a[i]) { numbers.a[i] = count; stack.push(i); }
    };
    for (let start = 0; start < h * w; start++) {
      if (!mask.a[start] || numbers.a[start]) continue;
      count++;
      push(start);
      while (stack.length) {
        const i = stack.pop(), x = i % w;
        if (x) push(i - 1);
        if (x < w - 1) push(i + 1);
        if (i >= w) push(i - w);
        if (i < (h - 1) * w) push(i + w);
      }
    }
    return [numbers, count];
  }

  function boxesOf(numbers, count) { // {y0, y1, x0, x1} of each part, y1 and x1 behind its last
    const boxes = Array.from({length: count}, () => ({y0: Infinity, y1: 0, x0: Infinity, x1: 0}));
    numbers.a.forEach((n, i) => {
      if (!n) return;
      const b = boxes[n - 1], y = Math.floor(i / numbers.w), x = i % numbers.w;
      b.y0 = Math.min(b.y0, y); b.y1 = Math.max(b.y1, y + 1);
      b.x0 = Math.min(b.x0, x); b.x1 = Math.max(b.x1, x + 1);
    });
    return boxes;
  }

  function depth(mask) { // distances to the nearest pixel outside of the mask
    const {h, w} = mask, far = h + w, down = new Int32Array(h * w);
    for (let x = 0; x < w; x++) {
      for (let y = 0, last = -far; y < h; y++) {
        if (!mask.a[y * w + x]) last = y;
        down[y * w + x] = y - last;
      }
      for (let y = h - 1, next = h + far; y >= 0; y--) {
        if (!mask.a[y * w + x]) next = y;
        down[y * w + x] = Math.min(down[y * w + x], next - y) ** 2;
      }
    }
    const out = picture(h, w, Float64Array);
    for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) {
      let square = down[y * w + x];
      for (let d = 1; d * d < square && d < w; d++) {
        if (x >= d) square = Math.min(square, down[y * w + x - d] + d * d);
        if (x + d < w) square = Math.min(square, down[y * w + x + d] + d * d);
      }
      out.a[y * w + x] = Math.sqrt(square);
    }
    return out;
  }

  function resampling(n, m) { // weights [m][n] of pixels
    const scale = n / m;
    return Array.from({length: m}, (_, i) => {
      const at = clip((i + 0.5) * scale - 0.5, 0, n - 1);
      return Float64Array.from({length: n}, (_, j) => Math.max(0, scale >= 1
        ? (Math.min(j + 1, (i + 1) * scale) - Math.max(j, i * scale)) / scale
        : 1 - Math.abs(at - j)));
    });
  }

  function resized(g, h, w) {
    const rows = resampling(g.h, h), columns = resampling(g.w, w);
    const half = picture(h, g.w, Float64Array), out = picture(h, w, Float64Array);
    for (let i = 0; i < h; i++) for (let y = 0; y < g.h; y++) if (rows[i][y])
      for (let x = 0; x < g.w; x++) half.a[i * g.w + x] += rows[i][y] * g.a[y * g.w + x];
    for (let i = 0; i < h; i++) for (let j = 0; j < w; j++)
      for (let x = 0; x < g.w; x++) out.a[i * w + j] += columns[j][x] * half.a[i * g.w + x];
    return out;
  }
  const scaledSides = (g, side) =>
    [g.h, g.w].map((n) => Math.max(1, roundEven(side * n / longer(g))));

  return {alongLines, boxesOf, clip, cut, depth, dilated, edge, extreme, kth, label, largest,
          least, like, longer, maskOf, median, picture, quantile, resampling, resized,
          roundEven, scaledSides, spanOf, spans, sum, transposed, uniform};
})();
