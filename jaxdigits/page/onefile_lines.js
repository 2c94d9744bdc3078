"use strict";
/* Lines that were on the paper before the digit: the twin of jaxdigits/data/lines.py. */
const paperLines = (() => {
  const {clip, label, largest, like, longer, maskOf, median, picture, roundEven, spans, sum,
         transposed} = pixels;
  const COARSE = 96, LONG = 0.2, NEAR = 0.05, THIN = 0.06, CLEAR = 0.008, SPARE = 0.03;
  const LEAST = 0.1, CROSSED = 1.7;
  const SLOPES = Array.from({length: 17}, (_, i) => i * ((1 / 12 + 1 / 12) / 16) - 1 / 12);

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

  return {linesOf};
})();
