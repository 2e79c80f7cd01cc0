// The page: which view the address asks for, what it needs of the service, and what a person's clicks do.
import {get, listen, post, put, setToken, token} from "./api.js";
import {h, morph} from "./dom.js";
import {setNow} from "./format.js";
import {viewPipelines} from "./view_pipelines.js";
import {viewPipeline} from "./view_pipeline.js";
import {viewJob, viewJobs} from "./view_job.js";
import {viewConnector, viewConnectors} from "./view_connectors.js";

const HISTORY = 50, REJECTS = 50, TICK_MS = 1000, AGAIN_MS = 2000, LISTED_MS = 30000, WATCHED_MS = 4000, EVENTS_MAX = 1000;

const model = {pipelines: [], alerts: [], group: "", search: "", events: [], progress: []};
let view = null; // of VIEWS
let isEntered = false;
let visit = new AbortController(); // ends with the view

// --- showing ---------------------------------------------------------------------------------------------------------------

function show() {
  if (!view || !model.isLoaded) return;
  const wanted = h("main", {id: "main", tabindex: -1}, view.show(model));
  morph(document.getElementById("main"), wanted);
  const log = document.querySelector(".log");
  if (log && !log.matches(":hover, :focus")) log.scrollTop = log.scrollHeight;
}

function tell(text) {
  document.getElementById("told").replaceChildren(h("p", null, text));
}

function setLink(state, text) {
  const link = document.getElementById("link");
  link.className = `link ${state}`;
  if (link.textContent !== text) link.textContent = text;
}

// A question with its answers; gives the value of the one that was chosen, or of the field, or null.
function ask(title, text, answers, field) {
  const dialog = document.getElementById("dialog");
  dialog.replaceChildren(h("form", {method: "dialog"}, h("h2", {id: "dialog-title"}, title), h("p", null, text),
    field ? h("label", null, field, h("input", {type: "password", name: "text", autocomplete: "off", required: true})) : null,
    h("div", {class: "acts"}, answers.map(([value, label, look]) => h("button", {type: value ? "submit" : "button", value, class: look || null}, label)))));
  dialog.querySelector('button[type="button"]').addEventListener("click", () => dialog.close(""));
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise(resolve => dialog.addEventListener("close", () => {
    const input = dialog.querySelector("input");
    resolve(dialog.returnValue === "" ? null : input ? input.value.trim() : dialog.returnValue);
  }, {once: true}));
}

// --- asking ----------------------------------------------------------------------------------------------------------------

let asksForToken = null;

// One question, however many requests were refused.
function newToken(refused) {
  asksForToken ||= ask("A token is needed", refused, [["", "Cancel"], ["ok", "Use it", "main"]], "Token")
    .then(text => (setToken(text), text)).finally(() => (asksForToken = null));
  return asksForToken;
}

// What `request` gives; a refused token is asked for anew.
async function asked(request) {
  for (;;) {
    try {
      return await request();
    } catch (problem) {
      if (problem.status !== 401 || !await newToken(token() ? "The service does not know this token." : "The service lets in only who has one.")) throw problem;
    }
  }
}

// Puts into model[key] null while it is asked for, then the answer or why there is none.
async function load(key, request) {
  const {signal} = visit;
  model[key] = null;
  show();
  let got;
  try {
    got = await asked(request);
  } catch (problem) {
    got = problem;
  }
  if (signal.aborted) return;
  model[key] = got;
  show();
}

// Answers may overtake each other: of a pipeline that one counts which was asked for last.
let questions = 0;
const answered = new Map(); // by name: which question
const known = name => model.pipelines.find(each => each.name === name);

function newest(pipeline, question) {
  if (question < (answered.get(pipeline.name) || 0)) return known(pipeline.name) || pipeline;
  answered.set(pipeline.name, question);
  return pipeline;
}

async function loadPipelines() {
  const question = ++questions;
  const [listed, found] = await asked(() => Promise.all([get("pipelines", {history: HISTORY}), get("alerts")]));
  model.alerts = found.alerts;
  setNow(listed.now);
  model.pipelines = listed.pipelines.map(each => newest(each, question));
  model.isLoaded = true;
  show();
}

// Monitors look at a pipeline soon after each of its syncs.
function loadAlertsSoon() {
  setTimeout(() => get("alerts").then(found => ((model.alerts = found.alerts), show())).catch(() => undefined), WATCHED_MS);
}

async function loadPipeline(name) {
  const question = ++questions;
  const found = await get("pipelines", name, {history: HISTORY});
  const at = model.pipelines.findIndex(each => each.name === name);
  if (at >= 0) model.pipelines[at] = newest(found, question);
  show();
}

function takeEvent(name, data) {
  if (name === "told") model.events = [...model.events, data].slice(-EVENTS_MAX);
  if (name === "progress") model.progress = [...model.progress.filter(each => each.stream !== data.stream), data].sort((a, b) => a.stream.localeCompare(b.stream));
  if (name === "end" && view.takesJob) model.job = data;
  show();
}

// What a job tells, as long as this view is shown; again from where it was when the connection was lost.
async function follow(id) {
  const {signal} = visit;
  model.events = [];
  model.progress = [];
  model.followed = id;
  while (!signal.aborted && model.followed === id) {
    try {
      const seen = new Set(model.events.map(event => event.number));
      await listen(["jobs", id, "events"], signal, (name, data) => {
        if (model.followed === id && !(name === "told" && seen.has(data.number))) takeEvent(name, data);
      });
      return;
    } catch (problem) {
      if (signal.aborted || problem.status === 404 || problem.status === 401) return;
      await new Promise(resolve => setTimeout(resolve, AGAIN_MS));
    }
  }
}

// --- views -----------------------------------------------------------------------------------------------------------------

function followRunning() {
  const pipeline = known(model.name);
  const job = pipeline && pipeline.job;
  if (job && job.status === "running" && model.followed !== job.id) follow(job.id);
}

const VIEWS = [
  {path: /^$/, nav: "pipelines", title: () => "Pipelines", show: viewPipelines},
  {path: /^pipelines\/([^/]+)$/, nav: "pipelines", names: ["name"], title: () => model.name, show: viewPipeline,
    enter: () => (Object.assign(model, {events: [], progress: [], followed: null, streams: undefined, state: undefined, blocks: undefined, plan: undefined, rejects: undefined, changes: undefined}), followRunning()),
    job: job => job.pipeline === model.name && followRunning()},
  {path: /^jobs$/, nav: "jobs", title: () => "Jobs", show: viewJobs, enter: loadJobs, job: takeJob},
  {path: /^jobs\/(\d+)$/, nav: "jobs", names: ["id"], takesJob: true, title: () => `Job #${model.id}`, show: viewJob,
    enter: () => (Object.assign(model, {events: [], progress: []}), load("job", () => get("jobs", model.id)), follow(model.id)),
    job: job => String(job.id) === model.id && (model.job = job)},
  {path: /^connectors$/, nav: "connectors", title: () => "Connectors", show: viewConnectors,
    enter: () => load("connectors", () => get("connectors"))},
  {path: /^connectors\/(.+)$/, nav: "connectors", names: ["name"], title: () => model.name, show: viewConnector,
    enter: () => load("docs", () => get("connectors", model.name, "docs"))},
];

async function loadJobs() {
  const missed = (model.missed = []); // what is told while the list is on its way
  const got = await asked(() => get("jobs", {limit: 100}));
  Object.assign(model, {jobs: got.jobs, older: got.next, missed: null});
  missed.forEach(takeJob);
  show();
}

function takeJob(job) {
  if (model.missed) model.missed.push(job);
  if (!model.jobs) return;
  const at = model.jobs.findIndex(each => each.id === job.id);
  if (at >= 0) model.jobs[at] = job;
  else if (!model.jobs.length || job.id > model.jobs[0].id) model.jobs.unshift(job);
}

function route() {
  const path = location.hash.replace(/^#\/?/, "");
  visit.abort();
  visit = new AbortController();
  let match;
  view = VIEWS.find(each => (match = each.path.exec(path))) || VIEWS[0];
  try {
    (view.names || []).forEach((name, i) => (model[name] = decodeURIComponent(match[i + 1])));
  } catch {
    model.name = path; // a broken escape names nothing that exists
  }
  document.title = `${view.title()} · sluice`;
  for (const link of document.querySelectorAll("[data-nav]"))
    link.dataset.nav === view.nav ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  document.getElementById("main").replaceChildren();
  isEntered = false;
  enter();
  show();
  window.scrollTo(0, 0);
}

// Once for each visit, as soon as the pipelines are known.
function enter() {
  if (isEntered || !model.isLoaded) return;
  isEntered = true;
  if (view.enter) view.enter();
}

// --- what a person does ----------------------------------------------------------------------------------------------------

async function refresh({pipeline, stream}) {
  const what = stream ? `stream ${stream} of ${pipeline}` : `all of ${pipeline}`;
  const chosen = await ask("Full refresh", `Reads ${what} again from the beginning. The old rows stand until the new ones are complete.`,
    [["", "Cancel"], ["yes", "Read again", "danger"]]);
  if (chosen) await start({pipeline, stream}, true);
}

async function start({pipeline, stream}, full = false) {
  const body = {...(stream ? {streams: [stream]} : {}), ...(full ? {full_refresh: true} : {})};
  const job = await asked(() => post(["pipelines", pipeline, "jobs"], body));
  tell(`Job #${job.id} of ${pipeline} was asked for.`);
  await loadPipeline(pipeline);
}

async function setBlock({pipeline, stream, column}, blocked) {
  const parts = ["pipelines", pipeline, "streams", stream, "columns", column];
  model.blocks = (await asked(() => put(parts, {blocked}))).blocks;
  tell(blocked ? `${column} of ${stream} is blocked from the next sync on.` : `${column} of ${stream} is stored again from the next sync on.`);
  show();
}

const ACTIONS = {
  start: data => start(data),
  refresh,
  filter: ({group}) => ((model.group = group), show()),
  cancel: async ({job, pipeline}) => {
    const chosen = await ask("Cancel the sync?", `Job #${job} of ${pipeline} ends at its next checkpoint. What is committed stays, and the next sync goes on from there.`,
      [["", "Go on"], ["yes", "End it", "danger"]]);
    if (chosen) await asked(() => post(["jobs", job, "cancel"])), tell(`Job #${job} is asked to end.`);
  },
  pause: async ({pipeline}) => (await asked(() => post(["pipelines", pipeline, "pause"])), tell(`${pipeline} is paused.`), loadPipeline(pipeline)),
  resume: async ({pipeline}) => (await asked(() => post(["pipelines", pipeline, "resume"])), tell(`${pipeline} goes on.`), loadPipeline(pipeline)),
  check: async ({pipeline}) => {
    tell(`Checking ${pipeline}`);
    await asked(() => post(["pipelines", pipeline, "check"]));
    tell(`${pipeline}: configuration, source and destination are fine.`);
  },
  streams: async ({pipeline}) => {
    await Promise.all([load("streams", () => get("pipelines", pipeline, "streams")), load("state", () => get("pipelines", pipeline, "state")),
      load("blocks", async () => (await get("pipelines", pipeline, "blocks")).blocks)]);
  },
  block: async data => {
    const chosen = await ask(`Block ${data.column}?`, `From the next sync on, ${data.column} of ${data.stream} is not stored any more. Rows that are there keep what they have.`,
      [["", "Cancel"], ["yes", "Block it", "danger"]]);
    if (chosen) await setBlock(data, true);
  },
  unblock: data => setBlock(data, false),
  plan: ({pipeline}) => load("plan", () => get("pipelines", pipeline, "plan")),
  rejects: ({pipeline}) => load("rejects", () => get("pipelines", pipeline, "rejects", {limit: REJECTS})),
  changes: ({pipeline}) => load("changes", () => get("pipelines", pipeline, "schema-changes")),
  older: async () => {
    const got = await asked(() => get("jobs", {limit: 100, before: model.older}));
    model.jobs = [...model.jobs, ...got.jobs];
    model.older = got.next;
    show();
  },
};

document.addEventListener("click", async event => {
  const chosen = event.target.closest("button[data-action]");
  if (!chosen || chosen.disabled) return;
  chosen.disabled = true;
  try {
    await ACTIONS[chosen.dataset.action]({...chosen.dataset});
  } catch (problem) {
    tell([problem.message, problem.hint].filter(Boolean).join("; "));
  } finally {
    chosen.disabled = false;
  }
});

document.addEventListener("input", event => {
  if (event.target.dataset.action !== "search") return;
  model.search = event.target.value;
  show();
});

// --- staying up to date ----------------------------------------------------------------------------------------------------

function takeWatched(name, job) {
  setLink("live", "live");
  if (name !== "job") return;
  if (view.job) view.job(job);
  if (job.ended_at) loadAlertsSoon();
  const pipeline = known(job.pipeline);
  if (pipeline && pipeline.job && pipeline.job.id === job.id && pipeline.job.status === job.status) {
    pipeline.job = job;
    show();
  } else {
    loadPipeline(job.pipeline).then(() => view.job && view.job(job)).catch(() => undefined); // the list is read anew soon
  }
}

async function watch() {
  for (;;) {
    try {
      await asked(() => listen(["jobs", "watch"], undefined, takeWatched, async () => {
        await loadPipelines();
        enter();
        setLink("live", "live");
      }));
      setLink("lost", "the service ended the connection");
    } catch (problem) {
      setLink("lost", problem.status ? problem.message : "the service does not answer; trying again");
    }
    await new Promise(resolve => setTimeout(resolve, AGAIN_MS));
  }
}

window.addEventListener("hashchange", route);
setInterval(() => document.hidden || show(), TICK_MS);
setInterval(() => document.hidden || loadPipelines().catch(() => undefined), LISTED_MS);
route();
watch();
