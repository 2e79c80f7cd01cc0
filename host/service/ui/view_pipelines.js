// Every pipeline on one screen: how it is, when it last went well, what it did, what comes next.
import {h} from "./dom.js";
import {compact, now, span, tookMs, until} from "./format.js";
import {history} from "./chart.js";
import {alerts, button, status, when} from "./parts.js";

export const isBusy = pipeline => pipeline.job && (pipeline.job.status === "running" || pipeline.job.status === "queued");
export const jobsOf = pipeline => pipeline.history || (pipeline.job ? [pipeline.job] : []);

const GROUPS = [
  ["failing", "Failing", pipeline => pipeline.status === "failed" || pipeline.status === "retrying"],
  ["running", "Running", pipeline => pipeline.status === "running" || pipeline.status === "queued"],
  ["ok", "Fine", pipeline => pipeline.status === "succeeded" || pipeline.status === "cancelled"],
  ["paused", "Paused", pipeline => pipeline.paused],
  ["new", "Never ran", pipeline => pipeline.status === "never ran"],
];

function counts(pipelines, chosen) {
  const one = (key, label, count) => h("button", {type: "button", "data-key": key, "data-action": "filter", "data-group": key, class: `count ${key}`,
    "aria-pressed": String(chosen === key)}, h("b", null, count), label);
  return h("div", {class: "counts", role: "group", "aria-label": "Show"},
    one("", "All", pipelines.length),
    GROUPS.map(([key, label, test]) => [key, label, pipelines.filter(test).length]).filter(([key, , count]) => count || chosen === key).map(each => one(...each)));
}

function lastRun(pipeline) {
  const job = pipeline.job;
  if (!job) return h("span", {class: "quiet"}, "no sync yet");
  if (job.status === "running") return [`for ${span(tookMs(job) || 0)}`];
  if (job.status === "queued") return [job.attempt > 0 && job.not_before ? `try ${job.attempt + 1} ${until(job.not_before)}` : "waits for its turn"];
  return [when(job.ended_at || job.requested_at), tookMs(job) === null ? "" : `, took ${span(tookMs(job))}`];
}

// Since when the data is as old as that, where the last sync does not say so itself.
function staleness(pipeline) {
  if (pipeline.status === "succeeded" || pipeline.status === "never ran") return null;
  return h("span", {class: "quiet"}, pipeline.succeeded_at ? ["fresh ", when(pipeline.succeeded_at)] : "no success yet");
}

export function nextRun(pipeline) {
  if (pipeline.paused) return "paused";
  if (!pipeline.next_at) return "on request";
  return isBusy(pipeline) && Date.parse(pipeline.next_at) <= now() ? "when this one ends" : until(pipeline.next_at);
}

function row(pipeline, model) {
  const name = pipeline.name, job = pipeline.job;
  return h("li", {class: "pipeline", "data-key": name},
    h("div", {class: "who"},
      h("a", {href: `#/pipelines/${encodeURIComponent(name)}`, class: "name"}, name),
      h("span", {class: "quiet"}, `${pipeline.connector} → ${pipeline.destination}`)),
    h("div", {class: "how"}, status(pipeline.status), h("span", {class: "quiet"}, lastRun(pipeline)), staleness(pipeline)),
    h("div", {class: "rows"}, h("b", null, job ? compact(job.written) : "–"), h("span", {class: "quiet"}, "rows")),
    h("div", {class: "past"}, history(jobsOf(pipeline))),
    h("div", {class: "next"}, h("span", null, nextRun(pipeline)),
      h("span", {class: "quiet"}, pipeline.schedule)),
    h("div", {class: "acts"},
      isBusy(pipeline) ? button("cancel", "Cancel", {job: job.id, pipeline: name}) : button("start", "Sync", {pipeline: name}),
      pipeline.paused ? button("resume", "Resume", {pipeline: name}) : button("pause", "Pause", {pipeline: name})),
    job && job.error && pipeline.status !== "succeeded" ? h("p", {class: "error"}, h("b", null, job.error.class), ": ", job.error.message) : null,
    alerts(model, name));
}

export function viewPipelines(model) {
  const group = GROUPS.find(([key]) => key === model.group);
  const shown = model.pipelines.filter(pipeline => (!group || group[2](pipeline)) &&
    (!model.search || pipeline.name.toLowerCase().includes(model.search.toLowerCase())));
  return h("div", null,
    h("div", {class: "head"}, h("h1", null, "Pipelines"),
      h("input", {type: "search", "data-kept": "", "data-action": "search", placeholder: "Find a pipeline", "aria-label": "Find a pipeline by name"})),
    counts(model.pipelines, model.group),
    h("ul", {class: "pipelines"}, shown.map(pipeline => row(pipeline, model))),
    shown.length ? null : h("p", {class: "quiet empty"}, model.pipelines.length ? "None like that." : "sluice.yaml has no pipelines yet."));
}
