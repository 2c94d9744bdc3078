"use strict";
/* From the brightness of a picture to MNIST's geometry, as jaxdigits.data does it in Python.

     grey [h, w] -> flattenLight -> eraseLines -> findDigit -> widenStrokes -> [28, 28] uint8

   Every step has the name and the numbers of its twin in ink.py and geometry.py, which give the
   reasons. */
const prepare = (() => {
  const {boxesOf, clip, cut, depth, dilated, edge, extreme, kth, label, largest, least, like,
         longer, maskOf, median, picture, quantile, resized, roundEven, scaledSides, spans, sum,
         uniform} = pixels;
  const f32 = Math.fround;
  const MIN_CONTRAST = 16, WIDEST = 0.5, PHOTOGRAPH = 64, TELLING = 0.1, LEVEL = 0.35;
  const DRAWN = 128, EVEN = 0.5, GRAIN = 6, GAP = 0.012, SPECK = 0.03, FAR_SPECK = 0.15;
  const FAR = 0.25, BORDER = 0.1, TALL = 0.4, APART = 0.06, STROKE = 0.08, FINE = 60;
  const SIDE = 28, BOX = 20, MIDDLE = 14, MAX_SIDE = 1024, FLOOR = 0.1;
  const NO_INK = "no ink found: nothing stands out from the paper";

  class NoDigit extends Error {}

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
      const weighted = coarse.map((row, i) => row.map((v) => v * root[i]));
      fit = solve(weighted, log.map((v, i) => v * root[i]));
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

  // ---- the digit ---------------------------------------------------------------------------

  function eraseLines(ink) {
    const lines = paperLines.linesOf(maskOf(ink, (v) => v >= f32(LEVEL / 2)));
    return like(ink, (v, i) => (lines.a[i] ? 0 : v));
  }

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

  function overPaper(seen, alpha) { // as the edge; or, if one sees through that, unlike the ink
    const around = edge(like(seen, (v, i) => (alpha.a[i] ? v / alpha.a[i] : 0)));
    const opaque = edge(alpha).map((v) => (v >= 0.5 ? 1 : 0)), total = sum(seen.a);
    const paper = sum(opaque) > opaque.length / 2 ? median(around.filter((_, i) => opaque[i]))
      : total > 127.5 * sum(alpha.a) ? 0 : 255;
    return like(seen, (v, i) => v + f32(f32(1 - alpha.a[i]) * paper));
  }

  return {toMnistGeometry, reader, NoDigit};
})();
