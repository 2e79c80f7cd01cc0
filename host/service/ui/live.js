// What a job tells while it runs: how far its streams are, and its log.
import {h} from "./dom.js";
import {bytes, clock, number, span, timeOfDay, until} from "./format.js";
import {table} from "./parts.js";

export function progressTable(progress) {
  return table([["Stream"], ["Rows", "number"], ["Rows/s", "number"], ["Read", "number"], ["Waits for"]],
    progress.map(each => h("tr", {"data-key": each.stream},
      h("th", {scope: "row"}, each.stream),
      h("td", {class: "number"}, number(each.rows)),
      h("td", {class: "number"}, number(each.rows_per_second || 0)),
      h("td", {class: "number"}, bytes(each.bytes || 0)),
      h("td", null, each.waits_for ? `${each.waits_for}, ${until(each.waits_until)}` : ""))),
    "Nothing was read yet.");
}

const SHOWN_LINES = 200;

// An event in words; what is not known here is shown as it came.
function words(data) {
  const rows = data.written === undefined ? "" : `${number(data.written)} rows written`;
  const rejected = data.rejected ? `, ${number(data.rejected)} rejected` : "";
  switch (data.event) {
  case "sync_started": return "the sync begins";
  case "sync_ended": return `the sync ended${data.exit_code ? ` with exit code ${data.exit_code}` : ""} after ${span(data.elapsed_ms)} and ${number(data.requests || 0)} requests`;
  case "stream_started": return `${data.stream} begins (${data.mode})`;
  case "stream_ended": return `${data.stream} ${data.status}: ${rows}${rejected}${data.new_columns ? `; new columns: ${data.new_columns}` : ""}${data.error ? `: ${data.error.message || data.error}` : ""}`;
  case "load": return `${data.stream}: a load of ${number(data.written || 0)} rows was committed${rejected}`;
  case "log": return data.message;
  case "failed": return `${data.class}: ${data.message}`;
  default: return data.message || JSON.stringify(data);
  }
}

const look = data => (data.level === "error" || data.event === "failed" || data.status === "failed" ? "bad" : data.level === "warn" ? "odd" : "");

export function logLines(events) {
  if (!events.length) return null;
  const skipped = events.length - SHOWN_LINES;
  return h("ol", {class: "log", tabindex: 0, "aria-label": "Log"},
    skipped > 0 ? h("li", {class: "quiet", "data-key": "skipped"}, `${number(skipped)} lines before`) : null,
    events.slice(-SHOWN_LINES).map(event => h("li", {"data-key": event.number, class: look(event.data)},
      h("time", {datetime: event.at, title: clock(event.at)}, timeOfDay(event.at)), " ", words(event.data))));
}
