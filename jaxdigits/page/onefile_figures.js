"use strict";
/* Figures of spikes: a raster of neurons over time, and the answer as it grows. */
const figures = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const ROWS = 98; // most rows of a raster; neurons share a row beyond that

  function drawRaster(canvas, {spikes, n}, {steps, now, ink}) { // steps after `now` are faint
    const group = Math.ceil(n / ROWS), rows = Math.ceil(n / group), width = 4 * steps;
    const counts = new Float32Array(steps * rows), image = new ImageData(width, rows);
    for (let t = 0; t < steps; t++) for (let i = 0; i < n; i++)
      counts[Math.floor(i / group) * steps + t] += spikes[t * n + i];
    const most = counts.reduce((a, b) => Math.max(a, b), 1);
    counts.forEach((v, i) => {
      const t = i % steps, alpha = 255 * (0.25 + 0.75 * v / most) * (t < now ? 1 : 0.15);
      if (v) for (let k = 0; k < 3; k++)
        image.data.set([...ink, alpha], 4 * (Math.floor(i / steps) * width + 4 * t + k));
    });
    if (canvas.width !== width || canvas.height !== rows)
      Object.assign(canvas, {width, height: rows});
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  function makeGrowth(classes) { // a curve for each class
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("preserveAspectRatio", "none");
    for (let j = 0; j < classes; j++) svg.append(document.createElementNS(SVG, "polyline"));
    return svg;
  }

  function drawGrowth(svg, growing, now) {
    const last = growing[now - 1], best = last.indexOf(Math.max(...last));
    svg.setAttribute("viewBox", `0 0 ${growing.length} 1`);
    last.forEach((_, j) => {
      svg.children[j].setAttribute("points", growing.slice(0, now).map((p, t) =>
        `${t + 0.5},${(0.97 - 0.94 * p[j]).toFixed(4)}`).join(" "));
      svg.children[j].setAttribute("class", j === best ? "best" : "");
    });
  }

  return {drawRaster, makeGrowth, drawGrowth};
})();
