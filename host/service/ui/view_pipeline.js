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

// A section that a button fills: `got` is undefined until it was asked for, then what load() left in the model.
function asked(pipeline, {title, about, label, action, got}, shown) {
  const ask = text => button(action, text, {pipeline: pipeline.name});
  if (got === undefined) return section(title, h("p", {class: "quiet"}, about), ask(label));
  if (!got) return section(title, h("p", {class: "quiet"}, "Loading"));
  return got instanceof Error ? section(title, failure(got), ask("Try again")) : section(title, shown(got));
}

function streams(pipeline, model) {
  const about = "Asks the connector, and the destination for what is remembered.";
  const cursors = new Map((Array.isArray(model.state) ? model.state : []).filter(entry => entry.kind === "cursor").map(entry => [entry.stream, entry.value]));
  const blocks = Array.isArray(model.blocks) ? model.blocks : [];
  return asked(pipeline, {title: "Streams", about, label: "Show streams", action: "streams", got: model.streams}, list => [
    table([["Stream"], ["Mode"], ["Key"], ["Cursor"], ["Fields"], [""]], list.map(stream => h("tr", {"data-key": stream.stream},
      h("th", {scope: "row"}, stream.stream),
      h("td", null, stream.sync_mode, h("br"), h("span", {class: "quiet"}, stream.write_mode)),
      h("td", null, keysOf(stream)),
      h("td", null, stream.cursor || "", cursors.has(stream.stream) ? [h("br"), h("span", {class: "quiet"}, cursors.get(stream.stream))] : null),
      h("td", null, fieldsOf(pipeline, stream, blocks)),
      h("td", null, h("div", {class: "acts"}, button("start", "Sync", {pipeline: pipeline.name, stream: stream.stream}),
        button("refresh", "Full refresh", {pipeline: pipeline.name, stream: stream.stream}))))), "The connector has no streams."),
    model.state instanceof Error ? failure(model.state) : null, model.blocks instanceof Error ? failure(model.blocks) : null]);
}

function rejects(pipeline, model) {
  const about = "Records and values that could not be taken, the newest first.";
  return asked(pipeline, {title: "Rejects", about, label: "Show rejects", action: "rejects", got: model.rejects}, list =>
    table([["When"], ["Stream"], ["Field"], ["Why"], ["Record"]], list.map((each, i) => h("tr", {"data-key": i},
      h("td", null, each.at ? when(each.at) : ""),
      h("th", {scope: "row"}, each.stream),
      h("td", null, each.field || ""),
      h("td", {class: "why"}, each.detail || each.reason, h("br"), h("span", {class: "quiet"}, `${each.reason}, ${each.row_was_dropped ? "row dropped" : "set to null"}`)),
      h("td", null, each.record ? h("details", null, h("summary", null, "as it was"), h("pre", {tabindex: 0}, h("code", null, each.record))) : ""))), "Nothing was rejected."));
}

const CHANGES = {create_table: "table made", add_column: "column added"};

function changes(pipeline, model) {
  const about = "Tables and columns that syncs have made at the destination.";
  return asked(pipeline, {title: "Schema changes", about, label: "Show changes", action: "changes", got: model.changes}, list =>
    table([["When"], ["Table"], ["What"], ["Column"], ["Type"]], list.map((each, i) => h("tr", {"data-key": i},
      h("td", null, when(each.at)),
      h("th", {scope: "row"}, each.table),
      h("td", null, CHANGES[each.change] || each.change),
      h("td", null, each.column || "", each.column && each.field !== each.column ? h("span", {class: "quiet"}, ` of ${each.field}`) : null),
      h("td", null, each.type || ""))), "No table was made yet."));
}

function target(each) {
  const changes = each.changes ? h("pre", {tabindex: 0}, h("code", null, each.changes)) : null;
  return h("li", {"data-key": each.target}, h("code", null, each.target), ` ${each.write_mode}`, each.exists ? "" : ", new", changes, each.refusal ? failure(each.refusal) : null);
}

function outlook(pipeline, model) {
  const about = "What it would read, write and change. Does nothing of it.";
  return asked(pipeline, {title: "The next sync", about, label: "Show the plan", action: "plan", got: model.plan}, list =>
    table([["Stream"], ["Reads"], ["First request"], ["Writes"]], list.map(each => h("tr", {"data-key": each.stream},
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
    present(pipeline, model), past(pipeline), streams(pipeline, model), changes(pipeline, model), rejects(pipeline, model), outlook(pipeline, model));
}
