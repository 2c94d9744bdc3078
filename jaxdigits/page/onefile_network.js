"use strict";
/* A network as a row of operations, of which each knows its own numbers.

   The exporter (onefile.py) writes the operations as JSON, and here is one function for each.
   An array is {x, steps, shape}: features in row-major order, and with steps > 0 all of them at
   every time step.  Sums are in double precision and results in single, as in the run up to
   the last bit. */
const network = (() => {
  const f32 = Math.fround;
  const size = (shape) => shape.reduce((n, k) => n * k, 1);

  // ---- numbers -----------------------------------------------------------------------------

  function bytesOf(text) {
    const binary = atob(text), bytes = new Uint8Array(binary.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
    return bytes;
  }

  /* Floats as they are; or whole numbers, bit behind bit, times the step of their column. */
  function numbersOf({bits, data, step}) {
    const raw = bytesOf(data), view = new DataView(raw.buffer), steps = step && numbersOf(step);
    const numbers = new Float32Array(Math.floor(8 * raw.length / bits));
    for (let i = 0, at = 0, word = 0, held = 0; i < numbers.length; i++) {
      if (bits === 32) { numbers[i] = view.getFloat32(4 * i, true); continue; }
      for (; held < bits; held += 8) word = word * 256 + raw[at++];
      const whole = Math.floor(word / 2 ** (held - bits));
      held -= bits;
      word -= whole * 2 ** held;
      numbers[i] = (whole - 2 ** (bits - 1)) * steps[i % steps.length];
    }
    return numbers;
  }

  const PARITY = 0x1BD11BDA, ROTATIONS = [[13, 15, 26, 6], [17, 29, 16, 24]];

  function threefry([k0, k1], high, low) { // a random word: Threefry-2x32 of 20 rounds
    const key = [k0, k1, k0 ^ k1 ^ PARITY];
    let x = (high + k0) | 0, y = (low + k1) | 0;
    for (let i = 0; i < 5; i++) {
      for (const by of ROTATIONS[i % 2]) {
        x = (x + y) | 0;
        y = x ^ ((y << by) | (y >>> (32 - by)));
      }
      x = (x + key[(i + 1) % 3]) | 0;
      y = (y + key[(i + 2) % 3] + i + 1) | 0;
    }
    return (x ^ y) >>> 0;
  }

  // ---- operations --------------------------------------------------------------------------

  const result = (like, x, op) => ({...like, x, shape: op.after});

  function each(s, f) { // f(v, index of the feature) for all numbers
    const n = size(s.shape), x = new Float32Array(s.x.length);
    for (let start = 0; start < x.length; start += n)
      for (let i = 0; i < n; i++) x[start + i] = f(s.x[start + i], i);
    return {...s, x};
  }

  const unit = (s) => (s.x instanceof Uint8Array ? each(s, (v) => v / 255) : s);

  function rate(s, op) { // a pixel fires where it exceeds a random byte, and 255 always
    const n = s.x.length, words = Math.ceil(n / 4), x = new Float32Array(op.steps * n);
    for (let t = 0; t < op.steps; t++) for (let k = 0; k < words; k++) {
      let word = threefry(op.key, 0, t * words + k);
      for (let i = 4 * k; i < Math.min(4 * k + 4, n); i++, word >>>= 8)
        x[t * n + i] = (word & 255) < s.x[i] || s.x[i] === 255 ? 1 : 0;
    }
    return {x, steps: op.steps, shape: s.shape};
  }

  function latency(s, op) { // one spike, and the brighter the pixel the earlier
    const n = s.x.length, x = new Float32Array(op.steps * n);
    s.x.forEach((v, i) => {
      if (v) x[Math.floor(((255 - v) * (op.steps - 1) + 127) / 255) * n + i] = 1;
    });
    return {x, steps: op.steps, shape: s.shape};
  }

  function repeat(s, op) {
    const n = s.x.length, x = new Float32Array(op.steps * n);
    for (let t = 0; t < op.steps; t++) x.set(s.x, t * n);
    return {...s, x, steps: op.steps};
  }

  function mapped(s, op, f) { // f(features, sums) at each step; biases, and single precision
    const n = size(s.shape), m = size(op.after), all = Math.max(1, s.steps);
    const x = new Float32Array(all * m), sums = new Float64Array(m), c = op.after.at(-1);
    for (let t = 0; t < all; t++) {
      sums.fill(0);
      f(s.x.subarray(t * n, (t + 1) * n), sums);
      for (let j = 0; j < m; j++)
        x[t * m + j] = op.bias ? f32(sums[j]) + op.bias[j % c] : sums[j];
    }
    return result(s, x, op);
  }

  function dense(s, op, count) {
    const n = op.after[0];
    return mapped(s, op, (x, sums) => {
      for (let i = 0; i < x.length; i++) {
        const v = x[i];
        if (!v) continue;
        for (let j = 0, k = i * n; j < n; j++, k++) sums[j] += v * op.weight[k];
        count.sums += n;
      }
    });
  }

  function conv2d(s, op, count) {
    const [h, w, c] = s.shape, [rows, columns, o] = op.after, [k, m] = op.kernel;
    const [top, left] = op.before, weight = op.weight;
    return mapped(s, op, (x, sums) => {
      for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) for (let a = 0; a < k; a++) {
        const y = i * op.stride + a - top;
        if (y < 0 || y >= h) continue;
        for (let b = 0; b < m; b++) {
          const u = j * op.stride + b - left;
          if (u < 0 || u >= w) continue;
          for (let q = 0; q < c; q++) {
            const v = x[(y * w + u) * c + q];
            if (!v) continue;
            const to = (i * columns + j) * o, from = ((a * m + b) * c + q) * o;
            for (let p = 0; p < o; p++) sums[to + p] += v * weight[from + p];
            count.sums += o;
          }
        }
      }
    });
  }

  function pool(s, op) {
    const [, w, c] = s.shape, [rows, columns] = op.after, k = op.window, max = op.op === "max_pool";
    return mapped(s, op, (x, sums) => {
      for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) for (let q = 0; q < c; q++) {
        let y = max ? -Infinity : 0;
        for (let a = 0; a < k; a++) for (let b = 0; b < k; b++) {
          const v = x[((i * k + a) * w + j * k + b) * c + q];
          y = max ? Math.max(y, v) : y + v;
        }
        sums[(i * columns + j) * c + q] = max ? y : y / k ** 2;
      }
    });
  }

  function normalised(s, op, groups) { // each group of channels at each step
    const c = s.shape.at(-1), n = size(s.shape), x = new Float32Array(s.x.length);
    for (let start = 0; start < x.length; start += n) for (let g = 0; g < groups; g++) {
      const own = [];
      for (let i = 0; i < n; i++) if (Math.floor((i % c) / (c / groups)) === g) own.push(start + i);
      const mean = own.reduce((sum, i) => sum + s.x[i], 0) / own.length;
      const variance = own.reduce((sum, i) => sum + (s.x[i] - mean) ** 2, 0) / own.length;
      for (const i of own) x[i] = (s.x[i] - mean) / Math.sqrt(variance + op.epsilon);
    }
    return {...s, x};
  }

  const scaled = (s, op) => {
    const c = s.shape.at(-1);
    return each(s, (v, i) => f32(op.scale[i % c] * v) + op.shift[i % c]);
  };

  function erf(x) { // its power series; beyond 4 it is 1 to eight digits
    if (Math.abs(x) > 4) return Math.sign(x);
    let sum = x;
    for (let n = 1, term = x; n < 80; n++) {
      term *= -x * x / n;
      sum += term / (2 * n + 1);
    }
    return 2 / Math.sqrt(Math.PI) * sum;
  }

  // ---- neurons -----------------------------------------------------------------------------

  function spikeCount(v, theta, rules, several) {
    const at = rules.fires === "at";
    const held = f32(v / theta);
    if (several) return Math.max(0, at ? Math.floor(held) : Math.ceil(held) - 1);
    const over = f32(v - theta);
    return (at ? over >= 0 : over > 0) ? 1 : 0;
  }

  /* LIF neurons of every convention, with a synaptic current or an adaptive threshold where they
     have one; the equations are those of spikes/lif.py, synapse.py and adaptive.py. */
  function lif(s, op) {
    const n = size(s.shape), x = new Float32Array(s.x.length), rules = op.rules, k = op.constants;
    const c = new Float32Array(n).fill(op.start || 0);
    const a = new Float32Array(n), synapse = new Float32Array(n);
    const of = (constant, i) => constant[constant.length > 1 ? i % constant.length : 0];
    const subtract = rules.reset === "subtract", same = rules.reset_step === "same";
    const several = rules.spikes === "several";
    for (let t = 0; t < s.steps; t++) for (let i = 0; i < n; i++) {
      const beta = of(k.decay, i);
      let theta = of(k.threshold, i), current = s.x[t * n + i];
      if (k.adaptation) theta = f32(theta + f32(of(k.adaptation, i) * a[i]));
      if (k.synapse_decay)
        current = synapse[i] = f32(of(k.synapse_decay, i) * synapse[i]) + current;
      if (rules.normalise) current = f32(f32(1 - beta) * current);
      const v = f32(c[i] + f32(of(rules.gain, i) * current));
      const z = spikeCount(v, theta, rules, several);
      const w = subtract || !several ? z : spikeCount(v, theta, rules, false);
      const reset = (u) => (subtract ? f32(u - f32(theta * w)) : w ? of(rules.reset, i) : u);
      c[i] = same ? beta * reset(v) : reset(f32(beta * v));
      if (k.adaptation) {
        const rho = of(k.adaptation_decay, i);
        a[i] = f32(rho * a[i]) + f32(f32(1 - rho) * z);
      }
      if (!op.late) x[t * n + i] = z;
      else if (t + 1 < s.steps) x[(t + 1) * n + i] = z;
    }
    return {...s, x, fired: true};
  }

  // ---- readouts: with the answer that grows step by step -----------------------------------

  function over(s, f) { // f(numbers of a step, t) -> the answer so far; the last is the result
    const n = size(s.shape), growing = [];
    for (let t = 0; t < s.steps; t++) growing.push(f(s.x.subarray(t * n, (t + 1) * n), t));
    return {x: growing.at(-1), steps: 0, shape: s.shape, growing};
  }

  function leakyReadout(s, op) {
    const n = size(s.shape), decay = f32(op.decay);
    const u = new Float32Array(n), total = new Float64Array(n);
    const top = new Float32Array(n).fill(-Infinity);
    return over(s, (x, t) => Float32Array.from(x, (v, j) => {
      u[j] = f32(decay * u[j]) + v;
      total[j] += u[j];
      top[j] = Math.max(top[j], u[j]);
      return {mean: total[j] / (t + 1), max: top[j], last: u[j]}[op.reduce];
    }));
  }

  function summed(s, mean) {
    const total = new Float64Array(size(s.shape));
    return over(s, (x, t) =>
      Float32Array.from(x, (v, j) => (total[j] += v) / (mean ? t + 1 : 1)));
  }

  function ofMean(s, op, count) { // a layer of the mean so far
    const inner = (x) => run1({x, steps: 0, shape: s.shape}, op.layer, count);
    const means = summed(s, true).growing, growing = means.map((x) => inner(x).x);
    return {x: growing.at(-1), steps: 0, shape: op.layer.after, growing};
  }

  const OPERATIONS = {
    reshape: (s, op) => result(s, s.x, op), rate, latency, repeat, dense, conv2d,
    standardise: (s, op) =>
      each(unit(s), (v) => f32(v - f32(op.mean)) / f32(op.std)),
    max_pool: pool, average_pool: pool,
    image_norm: (s, op) => normalised(unit(s), op, 1),
    batch_norm: (s, op) => {
      const c = s.shape.at(-1);
      return scaled(each(s, (v, i) => f32(v - op.mean[i % c]) / op.sigma[i % c]), op);
    },
    group_norm: (s, op) => scaled(normalised(s, op, op.groups), op),
    relu: (s) => each(s, (v) => (v <= 0 ? 0 : v)),
    leaky_relu: (s, op) => each(s, (v) => (v > 0 ? v : f32(op.slope) * v)),
    gelu: (s) => each(s, (v) => v * 0.5 * (1 + erf(v / Math.SQRT2))),
    tanh: (s) => each(s, Math.tanh),
    lif, leaky_readout: leakyReadout, spike_count: (s, op) => summed(s, op.mean), of_mean: ofMean,
  };

  const run1 = (s, op, count) => OPERATIONS[op.op](s, op, count);

  function withNumbers(value) { // every array in the JSON of an operation, decoded
    if (!value || typeof value !== "object" || Array.isArray(value)) return value;
    if (typeof value.data === "string") return numbersOf(value);
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, withNumbers(v)]));
  }

  const read = (facts) => ({...facts, ops: facts.ops.map(withNumbers)});

  function softmax(logits, temperature) {
    const top = Math.max(...logits);
    const e = Array.from(logits, (v) => Math.exp((v - top) / temperature));
    const total = e.reduce((a, b) => a + b, 0);
    return e.map((v) => v / total);
  }

  /* Return {logits, probabilities, layers, growing, sums} of the 784 bytes of a digit.

     layers: {name, spikes [steps * n], n} of each layer that fires.  growing: probabilities at
     each step.  sums: additions of weights, with one for each input that is not 0. */
  function predict(net, bytes) {
    let s = {x: bytes, steps: 0, shape: net.shape};
    const layers = [], count = {sums: 0};
    for (const op of net.ops) {
      s = run1(s, op, count);
      const fires = op.op === "lif" ? "neurons" : ["rate", "latency"].includes(op.op) && "pixels";
      if (fires) layers.push({name: fires, spikes: s.x, n: size(s.shape)});
    }
    const shares = (logits) => softmax(logits, net.temperature);
    return {logits: s.x, probabilities: shares(s.x), layers, sums: count.sums,
            growing: s.growing ? s.growing.map(shares) : []};
  }

  return {read, predict, threefry};
})();
