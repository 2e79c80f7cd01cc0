// Pictures of what was: one bar for each job, and one line for each stream of a job. Colours say the status, and so do titles.
import {h} from "./dom.js";
import {number, span, tookMs, ago} from "./format.js";

const HEIGHT = 28, STEP = 7, WIDTH = 5, LEAST = 3;

export function describeJob(job) {
  const took = tookMs(job);
  return `${job.status}${took === null ? "" : `, ${span(took)}`}, ${number(job.written)} rows, ${ago(job.ended_at || job.requested_at)}`;
}

// The newest at the right; heights by time taken, by its square root, so that a long one leaves the others visible.
export function history(jobs, count = 20) {
  const shown = jobs.slice(0, count).reverse();
  const most = Math.max(1, ...shown.map(job => Math.sqrt(tookMs(job) || 0)));
  const width = count * STEP;
  const bars = shown.map((job, i) => {
    const tall = LEAST + ((HEIGHT - LEAST) * Math.sqrt(tookMs(job) || 0)) / most;
    return h("rect", {
      "data-key": job.id, class: `bar ${job.status}`, x: (count - shown.length + i) * STEP, y: (HEIGHT - tall).toFixed(1), width: WIDTH,
      height: tall.toFixed(1), rx: 1.5,
    }, h("title", null, describeJob(job)));
  });
  const failed = shown.filter(job => job.status === "failed").length;
  const label = shown.length ? `last ${shown.length} syncs, ${failed} failed` : "no syncs yet";
  return h("svg", {class: "history", viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": label},
    h("line", {class: "floor", x1: 0, x2: width, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5}), bars);
}

// Streams as lines over the time of their job: [{name, from, to (ms since its begin), status}]
export function timeline(streams, totalMs) {
  const scale = 1000 / Math.max(1, totalMs);
  return h("div", {class: "timeline"}, streams.map(stream => {
    const from = stream.from * scale, size = Math.max(4, (stream.to - stream.from) * scale);
    return h("div", {class: "lane", "data-key": stream.name},
      h("span", {class: "lane-name"}, stream.name),
      h("svg", {viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true"},
        h("rect", {class: "lane-floor", x: 0, y: 4.5, width: 1000, height: 1}),
        h("rect", {class: `bar ${stream.status}`, x: from.toFixed(1), y: 0, width: Math.min(size, 1000 - from).toFixed(1), height: 10})),
      h("span", {class: "lane-took"}, span(stream.to - stream.from)));
  }));
}
