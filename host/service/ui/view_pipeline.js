// One pipeline: what it does now and what it waits for, its streams, its past, what the next sync would do.
import {h} from "./dom.js";
import {clock, number, span, until, tookMs} from "./format.js";
import {history} from "./chart.js";
import {alerts, button, facts, failure, JOB_COLUMNS, jobRows, section, status, table, when} from "./parts.js";
import {isBusy, jobsOf, nextRun} from "./view_pipelines.js";
import {logLines, progressTable} from "./live.js";

function present(pipeline, model) {
  const job = pipeline.job;
  if (!isBusy(pipeline)) return null;
  if (job.status === "queued")
    return section("Now", h("p", null, job.attempt > 0 && job.not_before ? `Try ${job.attempt + 1} of job #${job.id} begins ${until(job.not_before)}.`
      : `Job #${job.id} waits for its turn.`));
  return section("Now",
    h("p", null, h("a", {href: `#/jobs/${job.id}`}, `Job #${job.id}`), ` runs for ${span(tookMs(job) || 0)}`, job.attempt > 1 ? `, try ${job.attempt}` : "",
      job.node ? h("span", {class: "quiet"}, ` on ${job.node}`) : null),
    progressTable(model.progress), logLines(model.events));
}

function past(pipeline) {
  const jobs = jobsOf(pipeline);
  return section("History", h("div", {class: "large"}, history(jobs, 50)), table(JOB_COLUMNS, jobRows(jobs.slice(0, 20), false), "No sync yet."));
}

const keysOf = stream => stream.fields.filter(field => field.key).map(field => field.name).join(", ");

// What a person may do about a column: those of sluice.yaml are its own, and without its key and cursor a stream cannot be loaded.
function blocking(pipeline, stream, field, block) {
  const data = {pipeline: pipeline.name, stream: stream.stream, column: field.name};
  if (block && block.by === "config") return ["blocked by sluice.yaml", block.reason ? `: ${block.reason}` : ""];
  if (block) return ["blocked ", button("unblock", "Store again", data)];
  return field.key || field.name === stream.cursor ? null : button("block", "Block", data);
}

function fieldsOf(pipeline, stream, blocks) {
  const found = new Map(blocks.filter(block => block.stream === stream.stream).map(block => [block.column, block]));
  const known = new Set(stream.fields.map(field => field.name));
  const others = [...found.values()].filter(block => !known.has(block.column)).map(block => ({name: block.column, type: "", declared: false}));
  return h("details", null, h("summary", null, `${stream.fields.length} fields`),
    table([["Field"], ["Type"], [""], [""]], [...stream.fields, ...others].map(field => h("tr", {"data-key": field.name}, h("td", null, field.name), h("td", null, field.type),
      h("td", {class: "quiet"}, [field.key ? "key" : "", field.declared === false ? "inferred" : ""].filter(Boolean).join(", ")),
      h("td", {class: "quiet"}, blocking(pipeline, stream, field, found.get(field.name))))), ""));
}

function streams(pipeline, model) {
  if (model.streams === undefined)
    return section("Streams", h("p", {class: "quiet"}, "Asks the connector, and the destination for what is remembered."), button("streams", "Show streams", {pipeline: pipeline.name}));
  if (!model.streams) return section("Streams", h("p", {class: "quiet"}, "Loading"));
  if (model.streams instanceof Error) return section("Streams", failure(model.streams), button("streams", "Try again", {pipeline: pipeline.name}));
  const cursors = new Map((Array.isArray(model.state) ? model.state : []).filter(entry => entry.kind === "cursor").map(entry => [entry.stream, entry.value]));
  return section("Streams", table([["Stream"], ["Mode"], ["Key"], ["Cursor"], ["Fields"], [""]], model.streams.map(stream => h("tr", {"data-key": stream.stream},
    h("th", {scope: "row"}, stream.stream),
    h("td", null, stream.sync_mode, h("br"), h("span", {class: "quiet"}, stream.write_mode)),
    h("td", null, keysOf(stream)),
    h("td", null, stream.cursor || "", cursors.has(stream.stream) ? [h("br"), h("span", {class: "quiet"}, cursors.get(stream.stream))] : null),
    h("td", null, fieldsOf(pipeline, stream, Array.isArray(model.blocks) ? model.blocks : [])),
    h("td", null, h("div", {class: "acts"}, button("start", "Sync", {pipeline: pipeline.name, stream: stream.stream}),
      button("refresh", "Full refresh", {pipeline: pipeline.name, stream: stream.stream}))))), "The connector has no streams."),
  model.state instanceof Error ? failure(model.state) : null, model.blocks instanceof Error ? failure(model.blocks) : null);
}

function target(each) {
  const changes = each.changes ? h("pre", {tabindex: 0}, h("code", null, each.changes)) : null;
  return h("li", {"data-key": each.target}, h("code", null, each.target), ` ${each.write_mode}`, each.exists ? "" : ", new", changes, each.refusal ? failure(each.refusal) : null);
}

function outlook(pipeline, model) {
  if (model.plan === undefined) return section("The next sync", h("p", {class: "quiet"}, "What it would read, write and change. Does nothing of it."),
    button("plan", "Show the plan", {pipeline: pipeline.name}));
  if (!model.plan) return section("The next sync", h("p", {class: "quiet"}, "Loading"));
  if (model.plan instanceof Error) return section("The next sync", failure(model.plan), button("plan", "Try again", {pipeline: pipeline.name}));
  return section("The next sync", table([["Stream"], ["Reads"], ["First request"], ["Writes"]], model.plan.map(each => h("tr", {"data-key": each.stream},
    h("th", {scope: "row"}, each.stream),
    h("td", null, each.sync_mode, each.from ? h("span", {class: "quiet"}, h("br"), `from ${each.from}`) : null),
    h("td", null, each.request ? h("code", {class: "long"}, each.request) : ""),
    h("td", null, h("ul", {class: "bare"}, (each.targets || []).map(target))))), "It would read nothing."));
}

export function viewPipeline(model) {
  const pipeline = model.pipelines.find(each => each.name === model.name);
  if (!pipeline) return h("div", null, h("h1", null, model.name), h("p", null, "sluice.yaml has no pipeline of that name."), h("p", null, h("a", {href: "#/"}, "All pipelines")));
  const job = pipeline.job;
  return h("div", null,
    h("p", {class: "crumbs"}, h("a", {href: "#/"}, "Pipelines")),
    h("div", {class: "head"}, h("h1", null, pipeline.name), status(pipeline.status),
      h("div", {class: "acts"},
        isBusy(pipeline) ? button("cancel", "Cancel", {job: job.id, pipeline: pipeline.name}) : button("start", "Sync now", {pipeline: pipeline.name}, "main"),
        pipeline.paused ? button("resume", "Resume", {pipeline: pipeline.name}) : button("pause", "Pause", {pipeline: pipeline.name}),
        button("check", "Check", {pipeline: pipeline.name}),
        button("refresh", "Full refresh", {pipeline: pipeline.name}))),
    facts([
      ["Connector", pipeline.connector === "webhook" ? "webhook" : h("a", {href: `#/connectors/${encodeURIComponent(pipeline.connector)}`}, pipeline.connector)], ["Destination", pipeline.destination],
      ["Schedule", pipeline.schedule],
      ["Next", h("span", {title: pipeline.next_at ? clock(pipeline.next_at) : null}, nextRun(pipeline))],
      ["Last success", pipeline.succeeded_at ? when(pipeline.succeeded_at) : "never"],
      ["Rows of the last sync", job ? number(job.written) : null],
      ["Rejected", job && job.rejected ? number(job.rejected) : null],
    ]),
    job && job.error && pipeline.status !== "succeeded" ? failure(job.error) : null,
    alerts(model, pipeline.name),
    present(pipeline, model), past(pipeline), streams(pipeline, model), outlook(pipeline, model));
}
