// Numbers and times as people read them.

const GROUPED = new Intl.NumberFormat("en-US");
const COMPACT = new Intl.NumberFormat("en-US", {notation: "compact", maximumFractionDigits: 1});

export const number = value => GROUPED.format(value);
export const compact = value => (value < 10000 ? GROUPED.format(value) : COMPACT.format(value));

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) (value /= 1024), unit++;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

// "850 ms", "12 s", "3 min", "2 h 5 min", "4 d"
export function span(ms) {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  const s = Math.round(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min${s < 600 && s % 60 ? ` ${s % 60} s` : ""}`;
  if (s < 86400) return `${Math.floor(s / 3600)} h${Math.floor((s % 3600) / 60) ? ` ${Math.floor((s % 3600) / 60)} min` : ""}`;
  return `${Math.floor(s / 86400)} d${s < 864000 && Math.floor((s % 86400) / 3600) ? ` ${Math.floor((s % 86400) / 3600)} h` : ""}`;
}

// The service's clock, as far as answers told: its times are compared with it, not with this machine's.
let ahead = 0;
export const setNow = iso => (ahead = Date.parse(iso) - Date.now());
export const now = () => Date.now() + ahead;

export const ago = iso => (now() - Date.parse(iso) < 1500 ? "just now" : `${span(now() - Date.parse(iso))} ago`);
export const until = iso => (Date.parse(iso) - now() < 1000 ? "now" : `in ${span(Date.parse(iso) - now())}`);
export const clock = iso => new Date(iso).toLocaleString(undefined, {dateStyle: "medium", timeStyle: "medium"});
export const timeOfDay = iso => new Date(iso).toLocaleTimeString(undefined, {hour12: false});

// Of its last try; null when that is not known.
export function tookMs(job) {
  if (!job.started_at || job.status === "queued") return null;
  return Math.max(0, (job.ended_at ? Date.parse(job.ended_at) : now()) - Date.parse(job.started_at));
}
