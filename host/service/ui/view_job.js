// One job: what it came to, when each stream was read, and everything it told.
import {h} from "./dom.js";
import {clock, number, span, tookMs, until} from "./format.js";
import {timeline} from "./chart.js";
import {button, facts, failure, JOB_COLUMNS, jobRows, section, status, table} from "./parts.js";
import {logLines, progressTable} from "./live.js";

// The last try's streams, on the time of the job.
function lanes(job, events) {
  const begin = Date.parse(job.started_at), end = begin + (tookMs(job) || 0), found = new Map();
  for (const {at, data} of events) {
    if (data.event === "sync_started") found.clear();
    const time = Date.parse(at) - begin;
    if (data.event === "stream_started") found.set(data.stream, {name: data.stream, from: time, to: end - begin, status: "running"});
    if (data.event === "stream_ended" && found.has(data.stream)) {
      const lane = found.get(data.stream);
      lane.to = time;
      lane.status = data.status === "done" ? "succeeded" : data.status === "failed" ? "failed" : "cancelled";
    }
  }
  const ended = job.status !== "running";
  return [...found.values()].map(lane => ({...lane, from: Math.max(0, lane.from), status: ended && lane.status === "running" ? "cancelled" : lane.status}));
}

// What the streams of the last try spent their time on, the longest first: "rate_limit" is told as it is named elsewhere.
function spent(events) {
  const sums = new Map();
  for (const {data} of events) {
    if (data.event === "sync_started") sums.clear();
    for (const [name, ms] of Object.entries(data.spent_ms || {})) sums.set(name, (sums.get(name) || 0) + ms);
  }
  return [...sums].filter(([, ms]) => ms > 0).sort((a, b) => b[1] - a[1]).map(([name, ms]) => [name.replaceAll("_", " "), span(ms)]);
}

export function viewJob(model) {
  const job = model.job;
  if (job instanceof Error) return h("div", null, h("h1", null, `Job #${model.id}`), failure(job), h("p", null, h("a", {href: "#/jobs"}, "All jobs")));
  if (!job) return h("div", null, h("h1", null, `Job #${model.id}`), h("p", {class: "quiet"}, "Loading"));
  const isOver = Boolean(job.ended_at);
  return h("div", null,
    h("p", {class: "crumbs"}, h("a", {href: `#/pipelines/${encodeURIComponent(job.pipeline)}`}, job.pipeline)),
    h("div", {class: "head"}, h("h1", null, `Job #${job.id}`), status(job.status === "queued" && job.attempt > 0 ? "retrying" : job.status),
      isOver ? null : h("div", {class: "acts"}, button("cancel", "Cancel", {job: job.id, pipeline: job.pipeline}))),
    facts([
      ["Asked for", clock(job.requested_at)], ["By", job.trigger], ["Began", job.started_at ? clock(job.started_at) : null],
      ["Took", tookMs(job) === null ? null : span(tookMs(job))], ["Try", job.attempt > 1 ? job.attempt : null],
      ["Next try", job.status === "queued" && job.attempt > 0 && job.not_before ? until(job.not_before) : null],
      ["Read", number(job.records)], ["Written", number(job.written)], ["Rejected", job.rejected ? number(job.rejected) : null],
      ["Streams", job.streams ? job.streams.join(", ") : null], ["Mode", job.full_refresh ? "full refresh" : null],
      ["Exit code", job.exit_code ? job.exit_code : null], ["Node", job.node],
    ]),
    job.error ? failure(job.error) : null,
    !isOver && model.progress.length ? section("Now", progressTable(model.progress)) : null,
    job.started_at ? section("Streams", timeline(lanes(job, model.events), tookMs(job) || 0)) : null,
    spent(model.events).length ? section("Where the time went", facts(spent(model.events))) : null,
    section("Log", logLines(model.events) || h("p", {class: "quiet"}, "Nothing was told yet.")));
}

export function viewJobs(model) {
  return h("div", null, h("div", {class: "head"}, h("h1", null, "Jobs")),
    model.jobs ? table([JOB_COLUMNS[0], ["Pipeline"], ...JOB_COLUMNS.slice(1)], jobRows(model.jobs, true), "No job yet.") : h("p", {class: "quiet"}, "Loading"),
    model.older ? button("older", "Show older ones") : null);
}
