// What several views show.
import {h} from "./dom.js";
import {ago, clock, number, span, tookMs} from "./format.js";

const WORDS = {succeeded: "ok", failed: "failed", running: "running", queued: "waiting", retrying: "retrying", cancelled: "cancelled",
  paused: "paused", "never ran": "never ran"};

export const status = (value, detail = null) =>
  h("span", {class: `status ${value.replace(" ", "-")}`, title: detail}, h("span", {class: "dot", "aria-hidden": "true"}), WORDS[value] || value);

export const button = (action, label, data = {}, look = "") =>
  h("button", {type: "button", class: look, "data-action": action, ...Object.fromEntries(Object.entries(data).map(([k, v]) => [`data-${k}`, v]))}, label);

export const when = iso => h("time", {datetime: iso, title: clock(iso)}, ago(iso));

export function failure(error) {
  return h("div", {class: "failure", role: "note"},
    h("p", null, h("strong", null, error.class || error.kind || "error"), ": ", error.message),
    error.hint ? h("p", {class: "hint"}, error.hint) : null);
}

// What monitors found of a pipeline; that its newest sync failed is said beside it anyway.
export const alerts = (model, pipeline) => model.alerts.filter(alert => alert.pipeline === pipeline && alert.kind !== "failed").map(alert =>
  h("p", {class: "odd-note", "data-key": alert.kind}, h("b", null, alert.kind), ": ", alert.text, " · since ", when(alert.since)));

export const facts = pairs => h("dl", {class: "facts"}, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "").map(
  ([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));

export const section = (title, ...children) => h("section", {"data-key": title}, h("h2", null, title), children);

export const table = (columns, rows, empty) => rows.length === 0 ? h("p", {class: "quiet"}, empty) : h("div", {class: "wide"}, h("table", null,
  h("thead", null, h("tr", null, columns.map(([name, look]) => h("th", {scope: "col", class: look || null}, name)))),
  h("tbody", null, rows)));

export function jobRows(jobs, withPipeline) {
  return jobs.map(job => h("tr", {"data-key": job.id},
    h("td", null, h("a", {href: `#/jobs/${job.id}`}, `#${job.id}`)),
    withPipeline ? h("td", null, h("a", {href: `#/pipelines/${encodeURIComponent(job.pipeline)}`}, job.pipeline)) : null,
    h("td", null, status(job.status === "queued" && job.attempt > 0 ? "retrying" : job.status)),
    h("td", null, when(job.ended_at || job.started_at || job.requested_at)),
    h("td", {class: "number"}, tookMs(job) === null ? "" : span(tookMs(job))),
    h("td", {class: "number"}, number(job.written)),
    h("td", {class: "number"}, job.rejected ? number(job.rejected) : ""),
    h("td", {class: "why"}, job.error ? job.error.message : job.streams ? job.streams.join(", ") : job.full_refresh ? "full refresh" : job.trigger)));
}

export const JOB_COLUMNS = [["Job"], ["Status"], ["When"], ["Took", "number"], ["Rows", "number"], ["Rejected", "number"], ["About"]];
