"use strict";
/* From the brightness of a picture to MNIST's geometry, as jaxdigits.data does it in Python.

     grey [h, w] -> flattenLight -> eraseLines -> findDigit -> widenStrokes -> [28, 28] uint8

   Every step has the name and the numbers of its twin in ink.py, lines.py, morphology.py and
   geometry.py, which give the reasons.  A picture is {h, w, a}, with a its pixels row by row.
   NumPy's float32 is Math.fround or a Float32Array here, so both find the same pixels. */
const prepare = (() => {
  const f32 = Math.fround;
  const MIN_CONTRAST = 16, WIDEST = 0.5, PHOTOGRAPH = 64, TELLING = 0.1, LEVEL = 0.35;
  const DRAWN = 128, EVEN = 0.5, GRAIN = 6, GAP = 0.012, SPECK = 0.03, FAR_SPECK = 0.15;
  const FAR = 0.25, BORDER = 0.1, TALL = 0.4, APART = 0.06, STROKE = 0.08, FINE = 60;
  const SIDE = 28, BOX = 20, MIDDLE = 14, MAX_SIDE = 1024, FLOOR = 0.1;
  const COARSE = 96, LONG = 0.2, NEAR = 0.05, THIN = 0.06, CLEAR = 0.008, SPARE = 0.03;
  const LEAST = 0.1, CROSSED = 1.7;
  const SLOPES = Array.from({length: 17}, (_, i) => i * ((1 / 12 + 1 / 12) / 16) - 1 / 12);
  const NO_INK = "no ink found: nothing stands out from the paper";

  class NoDigit extends Error {}

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

  // ---- light -------------------------------------------------------------------------------

  function averagedDown(g, k = Math.ceil(longer(g) / MAX_SIDE)) {
    if (k === 1) return g;
    const small = picture(Math.ceil(g.h / k), Math.ceil(g.w / k), Float32Array);
    for (let y = 0; y < small.h; y++) for (let x = 0; x < small.w; x++) {
      let total = 0;
      const bottom = Math.min((y + 1) * k, g.h), right = Math.min((x + 1) * k, g.w);
      for (let v = y * k; v < bottom; v++) for (let u = x * k; u < right; u++)
        total += g.a[v * g.w + u];
      small.a[y * small.w + x] = total * (1 / ((bottom - y * k) * (right - x * k)));
    }
    return small;
  }

  function solve(A, b) { // the least squares of A z = b by the normal equations, as n is 6
    const n = A[0].length, M = Array.from({length: n}, () => new Float64Array(n + 1));
    A.forEach((row, r) => row.forEach((v, i) => {
      for (let j = 0; j < n; j++) M[i][j] += v * row[j];
      M[i][n] += v * b[r];
    }));
    for (let i = 0; i < n; i++) for (let r = 0; r < n; r++) if (r !== i) {
      const share = M[r][i] / M[i][i];
      for (let j = i; j <= n; j++) M[r][j] -= share * M[i][j];
    }
    return M.map((row, i) => row[n] / row[i]);
  }

  function evenlyLit(grey) {
    const n = grey.a.length, white = largest(grey.a);
    if (n <= DRAWN ** 2 && sum(maskOf(grey, (v) => v === white).a) > EVEN * n) return grey;
    const step = Math.ceil(longer(grey) / 32);
    const h = Math.floor(grey.h / step), w = Math.floor(grey.w / step);
    if (Math.min(h, w) < 8 || median(grey.a) < 64) return grey;
    const log = [], coarse = [];
    const at = (i, size) => (i + 0.5) * step / size * 2 - 1;
    for (let i = 0; i < h; i++) for (let j = 0; j < w; j++) {
      const block = cut(grey, [[i * step, (i + 1) * step - 1], [j * step, (j + 1) * step - 1]]);
      log.push(Math.log(Math.max(quantile(block.a, 0.75), 1)));
      const y = at(i, grey.h), x = at(j, grey.w);
      coarse.push([1, x, y, x * x, x * y, y * y]);
    }
    let weight = log.map(() => 1), fit;
    const height = (i) => coarse[i].reduce((s, v, k) => s + v * fit[k], 0);
    for (let round = 0; round < 6; round++) {
      const root = weight.map(Math.sqrt);
      fit = solve(coarse.map((row, i) => row.map((v) => v * root[i])), log.map((v, i) => v * root[i]));
      weight = log.map((v, i) => 1 / (1 + (Math.max(height(i) - v, 0) / 0.05) ** 2));
    }
    if (quantile(log.map((v, i) => Math.abs(height(i) - v)), 0.7) > 0.05) return grey;
    const line = (n) => Float32Array.from({length: n}, (_, i) => (i + 0.5) / n * 2 - 1);
    const ys = line(grey.h), xs = line(grey.w), a = Float32Array.from(fit);
    const light = like(grey, (_, i) => {
      const y = ys[Math.floor(i / grey.w)], x = xs[i % grey.w];
      const across = f32(f32(a[0] + f32(a[1] * x)) + f32(f32(a[3] * x) * x));
      const down = f32(f32(a[2] * y) + f32(f32(a[5] * y) * y));
      return f32(f32(across + down) + f32(a[4] * f32(y * x)));
    });
    const top = largest(light.a);
    return like(grey, (v, i) =>
      Math.min(f32(v / Math.max(f32(Math.exp(f32(light.a[i] - top))), f32(0.05))), 255));
  }

  function withoutBlots(paper) {
    const lightest = largest(paper.a), dark = f32(f32(0.7) * lightest);
    const [patches, count] = label(maskOf(paper, (v) => v < dark));
    if (!count) return paper;
    const inner = new Uint8Array(count + 1).fill(1, 1);
    for (const n of edge(patches)) inner[n] = 0;
    return like(paper, (v, i) => (inner[patches.a[i]] ? lightest : v));
  }

  function hasLightPaper(grey, high, low, closed, opened) {
    const range = f32(f32(largest(grey.a) - least(grey.a)) / 2);
    const tells = edge(like(grey, (_, i) => high.a[i] - low.a[i])).map((v) => (v > range ? 1 : 0));
    if (sum(tells) / tells.length > TELLING) {
      const light = edge(like(grey, (v, i) => f32(2 * v - high.a[i]) - low.a[i]));
      return sum(light.filter((_, i) => tells[i])) >= 0;
    }
    const [over, under] = [closed(), opened()];
    const detail = like(grey, (v, i) => Math.max(over.a[i] - v, v - under.a[i]));
    const half = f32(largest(detail.a) / 2), inside = maskOf(detail, (v) => v > half);
    const near = dilated(inside, 3), ring = maskOf(dilated(inside, 5), (v, i) => v && !near.a[i]);
    const share = uniform(like(inside, Number, Float32Array), 5, "constant");
    const inked = uniform(like(grey, (v, i) => (inside.a[i] ? v : 0)), 5, "constant");
    let lighter = 0;
    ring.a.forEach((on, i) => {
      if (on && grey.a[i] >= f32(inked.a[i] / Math.max(share.a[i], f32(1e-6)))) lighter++;
    });
    return !sum(ring.a) || lighter / sum(ring.a) >= 0.5;
  }

  function details(grey) { // [difference from the paper, light of the paper, grain]
    const around = edge(grey), photograph = longer(grey) >= PHOTOGRAPH;
    let paper, lightPaper;
    if (photograph) {
      const half = (n) => roundEven(WIDEST * n);
      const lightest = (g) => extreme(g, half, 1), darkest = (g) => extreme(g, half, -1);
      const high = lightest(grey), low = darkest(grey);
      lightPaper = hasLightPaper(grey, high, low, () => darkest(high), () => lightest(low));
      paper = lightPaper ? withoutBlots(darkest(high)) : lightest(low);
    } else {
      const level = median(around);
      paper = like(grey, () => level);
      lightPaper = f32(level - least(grey.a)) >= f32(largest(grey.a) - level);
    }
    const difference = like(grey, (v, i) => (lightPaper ? paper.a[i] - v : v - paper.a[i]));
    const light = like(paper, (v) => (lightPaper ? Math.max(v, MIN_CONTRAST) : 255));
    const plain = photograph ? difference.a : edge(difference), bias = median(plain);
    const grain = 1.4826 * median(plain.map((v) => Math.abs(f32(v - bias))));
    return [like(difference, (v) => Math.max(f32(v - bias), 0)), light, grain];
  }

  function strongest(ink) { // but for one pixel in 2,000
    const few = Math.max(1, Math.floor(ink.a.length / 2000)), half = largest(ink.a) / 2;
    let count = 0;
    const strong = ink.a.slice(), limit = f32(half);
    for (let i = 0; i < strong.length; i++) if (strong[i] > limit) strong[count++] = strong[i];
    const values = count >= few ? strong.subarray(0, count) : ink.a.slice();
    return kth(values, values.length - few);
  }

  function flattenLight(picture) {
    const grey = evenlyLit(picture), side = longer(grey);
    let size = side > 128 ? 3 : 1, difference, light, grain, peak;
    do {
      [difference, light, grain] = details(uniform(grey, size));
      peak = strongest(difference);
      size += 4;
    } while (!(f32(GRAIN * grain) <= f32(f32(LEVEL) * peak) || size > Math.floor(side / 20)));
    const noise = f32(GRAIN * grain);
    if (largest(difference.a) < MIN_CONTRAST || peak < noise) return like(grey, () => 0);
    const share = like(difference, (v, i) => v / light.a[i]);
    const full = f32(Math.max(strongest(share), 1e-6));
    const ink = like(share, (v) => Math.min(f32(v / full), 1));
    const near = dilated(maskOf(ink, (v, i) => v >= f32(LEVEL) && difference.a[i] >= noise), 3);
    return like(ink, (v, i) => (near.a[i] ? v : 0));
  }

  // ---- lines -------------------------------------------------------------------------------

  const atOf = (line, x) => line.start + line.slope * x;

  function anyOfBlocks(mask, step) {
    const small = picture(Math.ceil(mask.h / step), Math.ceil(mask.w / step), Uint8Array);
    mask.a.forEach((v, i) => {
      const y = Math.floor(Math.floor(i / mask.w) / step), x = Math.floor((i % mask.w) / step);
      if (v) small.a[y * small.w + x] = 1;
    });
    return small;
  }

  function longLines(mask) { // the lines across a mask, the longest first, without near copies
    const {h, w} = mask, needed = Math.ceil(LONG * w), [rows, columns] = spans(mask);
    if (rows[0] < 0 || columns[1] - columns[0] + 1 < needed) return [];
    const shift = SLOPES.map((s) => Int32Array.from({length: w}, (_, x) => roundEven(s * x)));
    const reach = largest(shift.map(largest)), all = [];
    const on = new Uint8Array(w);
    shift.forEach((shifts, s) => {
      for (let first = rows[0] - reach; first <= rows[1] + reach; first++) {
        for (let x = 0; x < w; x++) {
          const y = first + shifts[x];
          on[x] = y >= 0 && y < h ? mask.a[y * w + x] : 0;
        }
        let run = 0, length = 0, right = 0;
        for (let x = 0; x < w; x++) { // a gap of one pixel is none
          run = on[x] || (x && x < w - 1 && on[x - 1] && on[x + 1]) ? run + 1 : 0;
          if (run > length) { length = run; right = x + 1; }
        }
        if (length >= needed)
          all.push({start: first, slope: SLOPES[s], left: right - length, right, length});
      }
    });
    all.sort((a, b) => b.length - a.length || Math.abs(a.slope) - Math.abs(b.slope));
    const lines = [];
    for (let rest = all; rest.length;) {
      const line = rest[0];
      lines.push(line);
      rest = rest.filter((other) => {
        const from = Math.max(other.left, line.left), to = Math.min(other.right, line.right);
        const [a, b] = [from, to].map((x) => atOf(other, x) - atOf(line, x));
        return !(from < to && (Math.min(Math.abs(a), Math.abs(b)) <= 3 || a * b < 0));
      });
    }
    return lines;
  }

  function inkOf(mask) { // with the first and the last row of the run around each pixel
    const {h, w} = mask, first = new Int32Array(h * w), last = new Int32Array(h * w);
    for (let x = 0; x < w; x++) {
      for (let y = 0, gap = -1; y < h; y++) {
        if (!mask.a[y * w + x]) gap = y;
        first[y * w + x] = gap + 1;
      }
      for (let y = h - 1, gap = h; y >= 0; y--) {
        if (!mask.a[y * w + x]) gap = y;
        last[y * w + x] = gap - 1;
      }
    }
    return {mask, first, last, thin: Math.max(2, THIN * longer(mask))};
  }

  function columnsOf({mask, first, last}, line, step) { // [x, first, last] of ink on the line
    const {h, w} = mask, found = [];
    for (let x = line.left * step; x < Math.min(line.right * step, w); x++) {
      const middle = Math.floor((line.start + line.slope * (x / step) + 0.5) * step);
      for (let k = 0; k <= 4 * step + 1; k++) { // the nearest row first
        const y = clip(middle + (k % 2 ? -(k >> 1) : k >> 1), 0, h - 1), i = y * w + x;
        if (mask.a[i]) { found.push([x, first[i], last[i]]); break; }
      }
    }
    return found;
  }
  const thicknesses = (columns) => Float64Array.from(columns, ([, from, to]) => to - from + 1);

  function mayBeThin(ink, length) {
    const thin = maskOf(ink.mask, (v, i) => v && ink.last[i] - ink.first[i] <= ink.thin - 1);
    const columns = new Uint8Array(thin.w);
    thin.a.forEach((v, i) => { if (v) columns[i % thin.w] = 1; });
    return 4 * sum(columns) >= length;
  }

  function pixelsOf(inks, across, down, step) {
    const pixels = picture(inks[0].mask.h, inks[0].mask.w, Uint8Array);
    [across, down].forEach((lines, turned) => {
      for (const line of lines) {
        const columns = columnsOf(inks[turned], line, step), thick = thicknesses(columns);
        const most = CROSSED * median(thick) + 1;
        columns.forEach(([x, first, last], i) => {
          if (!(thick[i] <= most)) return;
          for (let y = first; y <= last; y++)
            pixels.a[turned ? x * pixels.w + y : y * pixels.w + x] = 1;
        });
      }
    });
    return pixels;
  }

  function clearSides(rest, outer) { // sides of the outer box that large pieces keep clear of
    const [numbers, count] = label(rest), sizes = new Float64Array(count + 1);
    for (const n of numbers.a) if (n) sizes[n]++;
    const enough = SPARE * sum(sizes), large = maskOf(numbers, (n) => n && sizes[n] >= enough);
    if (!sum(large.a)) return 0;
    const inner = spans(large), ends = spans(outer), margin = CLEAR * longer(rest);
    return [0, 1].reduce((clear, k) => clear + (inner[k][0] - ends[k][0] > margin)
      + (ends[k][1] - inner[k][1] > margin), 0);
  }

  function rulesOf(inks, across, down, step) {
    const rules = pixelsOf(inks, across, down, step);
    const rest = maskOf(inks[0].mask, (v, i) => v && !rules.a[i]);
    const needed = across.length + down.length === 1 ? 1 : LEAST;
    const few = sum(rest.a) < needed * sum(rules.a);
    return few || clearSides(rest, like(rest, () => 1)) < 4 ? like(rest, () => 0) : rules;
  }

  function inBox(line, others, near, thin) { // both ends are corners with a line that is thin
    return [line.left, line.right - 1].every((x) => {
      const y = atOf(line, x);
      return others.some((other) => Math.abs(atOf(other, y) - x) <= near
        && Math.min(Math.abs(other.left - y), Math.abs(other.right - 1 - y)) <= near
        && thin(other));
    });
  }

  function linesOf(mask) {
    const step = Math.ceil(longer(mask) / COARSE), coarse = anyOfBlocks(mask, step);
    const near = Math.max(1, roundEven(NEAR * longer(coarse)));
    const inks = [inkOf(mask), inkOf(transposed(mask))];
    const lines = [coarse, transposed(coarse)].map((each, i) =>
      (mayBeThin(inks[i], LONG * each.w) ? longLines(each) : []));
    const isThin = [0, 1].map((i) => {
      const known = new Map();
      return (line) => {
        if (!known.has(line))
          known.set(line, median(thicknesses(columnsOf(inks[i], line, step))) <= inks[i].thin);
        return known.get(line);
      };
    });
    const pick = (test) => lines.map((own, i) => own.filter((l) => test(l, i) && isThin[i](l)));
    const through = pick((line, i) =>
      line.left <= near && line.right >= (i ? coarse.h : coarse.w) - near);
    const boxed = pick((line, i) => inBox(line, lines[1 - i], near, isThin[1 - i]));
    if (![...through, ...boxed].some((some) => some.length)) return like(mask, () => 0);
    const rules = rulesOf(inks, ...through, step), boxes = pixelsOf(inks, ...boxed, step);
    const rest = maskOf(mask, (v, i) => v && !rules.a[i] && !boxes.a[i]);
    const outer = maskOf(mask, (v, i) => (v && !rules.a[i]) || boxes.a[i]);
    if (sum(rest.a) < LEAST * sum(boxes.a) || clearSides(rest, outer) < 3) return rules;
    return maskOf(mask, (_, i) => rules.a[i] || boxes.a[i]);
  }

  function eraseLines(ink) {
    const lines = linesOf(maskOf(ink, (v) => v >= f32(LEVEL / 2)));
    return like(ink, (v, i) => (lines.a[i] ? 0 : v));
  }

  // ---- the digit ---------------------------------------------------------------------------

  function piecesOf(mask, radius) { // pieces nearer than 2 radii are one
    const near = dilated(mask, 2 * Math.max(1, roundEven(radius)) + 1);
    const [pieces, count] = label(near);
    return [like(pieces, (n, i) => n * mask.a[i]), count];
  }

  const gapOf = (a, b) => Math.max(0, a.y0 - b.y1, b.y0 - a.y1, a.x0 - b.x1, b.x0 - a.x1);

  function withoutSpecks(ink, pieces, count) {
    const mass = new Float64Array(count), boxes = boxesOf(pieces, count);
    pieces.a.forEach((n, i) => { if (n) mass[n - 1] += ink.a[i]; });
    const atBorder = boxes.map((b) => !b.y0 || !b.x0 || b.y1 === ink.h || b.x1 === ink.w);
    const inner = mass.map((m, i) => (atBorder[i] ? 0 : m));
    const from = largest(inner) >= BORDER * largest(mass) ? inner : mass;
    const heaviest = from.indexOf(largest(from)), main = boxes[heaviest];
    const side = Math.max(main.y1 - main.y0, main.x1 - main.x0);
    const digit = boxes.map((box, i) => {
      const share = mass[i] / mass[heaviest], gap = gapOf(box, main);
      const cutOff = atBorder[i] && !atBorder[heaviest] && gap > GAP * longer(ink);
      return !(share < SPECK || (share < FAR_SPECK && gap > FAR * side) || cutOff);
    });
    return like(pieces, (n) => (n && digit[n - 1] ? n : 0));
  }

  function requireOne(mask) {
    const [[top, bottom]] = spans(mask), height = bottom - top + 1;
    const [pieces, count] = piecesOf(mask, APART * height / 2);
    if (count === 1) return;
    const tall = boxesOf(pieces, count).filter((b) => b.y1 - b.y0 >= TALL * height);
    const columns = new Uint8Array(mask.w + 1);
    for (const b of tall) columns.fill(1, b.x0, b.x1);
    const starts = columns.reduce((n, on, x) => n + (on && !(x && columns[x - 1]) ? 1 : 0), 0);
    if (starts > 1)
      throw new NoDigit(`${starts} large pieces stand side by side: cut out one digit`);
  }

  const cropped = (ink) => cut(ink, spans(ink, ink.a instanceof Float32Array
    ? (v) => v >= f32(FLOOR) : (v) => v >= FLOOR));

  function findDigit(ink) {
    let mask = maskOf(ink, (v) => v >= f32(LEVEL));
    if (!sum(mask.a)) throw new NoDigit(NO_INK);
    const [pieces, count] = piecesOf(mask, GAP * longer(ink));
    if (count > 1) {
      mask = maskOf(withoutSpecks(ink, pieces, count), (n) => n > 0);
      requireOne(mask);
    }
    const near = dilated(mask, 3);
    return cropped(like(ink, (v, i) => (near.a[i] ? v : 0)));
  }

  function widenStrokes(ink) {
    const pad = Math.floor(FINE / 10), small = resized(ink, ...scaledSides(ink, FINE));
    const fine = picture(small.h + 2 * pad, small.w + 2 * pad, Float64Array);
    const full = largest(small.a);
    small.a.forEach((v, i) => {
      fine.a[(Math.floor(i / small.w) + pad) * fine.w + (i % small.w) + pad] = v / full;
    });
    const mask = maskOf(fine, (v) => v >= 0.5);
    const width = 4 * sum(depth(mask).a) / sum(mask.a) - 2; // outside of the mask it is 0
    const add = (STROKE * FINE - width) / 2;
    if (add <= 0) return ink;
    const away = depth(like(mask, (v) => 1 - v));
    return cropped(like(fine, (v, i) => Math.max(v, clip(add + 1 - away.a[i], 0, 1))));
  }

  function centred({h, w, a}) {
    let mass = 0, down = 0, right = 0;
    a.forEach((v, i) => { mass += v; down += v * Math.floor(i / w); right += v * (i % w); });
    const start = (centre, n) => clip(Math.floor(MIDDLE - centre + 0.5), 0, SIDE - n);
    const top = start(down / mass, h), left = start(right / mass, w);
    const out = new Uint8Array(SIDE * SIDE);
    a.forEach((v, i) => { out[(top + Math.floor(i / w)) * SIDE + left + (i % w)] = v; });
    return out;
  }

  function inkToMnistGeometry(ink) {
    const top = largest(ink.a);
    if (!(top > 0)) throw new NoDigit(NO_INK);
    const low = ink.a instanceof Float32Array ? f32(f32(FLOOR) * top) : FLOOR * top;
    const box = cut(ink, spans(ink, (v) => v >= low));
    const small = resized(box, ...scaledSides(box, BOX)), full = 255 / largest(small.a);
    return centred(like(small, (v) => roundEven(full * v), Uint8Array));
  }

  /* Return the digit in a picture {h, w, a: Float32Array of brightness 0..255} as 784 bytes.
     It throws a NoDigit where Python raises a DataError, with the same words. */
  function toMnistGeometry(grey) {
    const ink = eraseLines(flattenLight(averagedDown(grey)));
    return inkToMnistGeometry(widenStrokes(findDigit(ink)));
  }

  /* Return a reader of a picture's colours, row by row, as read_grey is one of a file.

     step: rows that belong together.  add(rgba, top): take the rows from `top` on, a multiple of
     step.  grey(): the brightness {h, w, a}; of transparent pixels the paper shows. */
  function reader(h, w) {
    const step = Math.ceil(Math.max(h, w) / MAX_SIDE);
    const small = () => picture(Math.ceil(h / step), Math.ceil(w / step), Float32Array);
    const seen = small(), alpha = small(); // seen: the brightness times alpha
    function add(rgba, top) {
      const rows = rgba.length / (4 * w), at = top / step * seen.w;
      const parts = [picture(rows, w, Float32Array), picture(rows, w, Float32Array)];
      for (let i = 0; i < rows * w; i++) {
        const j = 4 * i, share = f32(rgba[j + 3] / 255);
        const grey = (rgba[j] * 19595 + rgba[j + 1] * 38470 + rgba[j + 2] * 7471 + 0x8000) >> 16;
        parts[0].a[i] = share * grey;
        parts[1].a[i] = share;
      }
      [seen, alpha].forEach((to, i) => to.a.set(averagedDown(parts[i], step).a, at));
    }
    return {step, add, grey: () => (least(alpha.a) === 1 ? seen : overPaper(seen, alpha))};
  }

  function overPaper(seen, alpha) { // paper is as the edge; or, if one sees through that, unlike ink
    const around = edge(like(seen, (v, i) => (alpha.a[i] ? v / alpha.a[i] : 0)));
    const opaque = edge(alpha).map((v) => (v >= 0.5 ? 1 : 0)), total = sum(seen.a);
    const paper = sum(opaque) > opaque.length / 2 ? median(around.filter((_, i) => opaque[i]))
      : total > 127.5 * sum(alpha.a) ? 0 : 255;
    return like(seen, (v, i) => v + f32(f32(1 - alpha.a[i]) * paper));
  }

  return {toMnistGeometry, reader, NoDigit};
})();
