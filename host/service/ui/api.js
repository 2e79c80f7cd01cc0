// The service's API. A token, where it wants one, is kept for this tab only.

const BASE = "/api/v1";
const KEPT = "sluice-token";

export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || `the service answered ${status}`);
    this.status = status;
    this.kind = body.class || "";
    this.hint = body.hint || "";
  }
}

export const token = () => sessionStorage.getItem(KEPT);
export const setToken = text => (text ? sessionStorage.setItem(KEPT, text) : sessionStorage.removeItem(KEPT));

function headers(more) {
  return token() ? {...more, Authorization: `Bearer ${token()}`} : more;
}

async function checked(answer) {
  if (answer.ok) return answer;
  let body = {};
  try {
    body = await answer.json();
  } catch {
    // A proxy's own page, for instance: the status says enough.
  }
  throw new Problem(answer.status, body);
}

const path = parts => BASE + parts.map(part => `/${encodeURIComponent(part)}`).join("");

// get("pipelines", name): path segments, encoded here. The last may be an object: the query.
export async function get(...parts) {
  const query = typeof parts.at(-1) === "object" ? `?${new URLSearchParams(parts.pop())}` : "";
  const answer = await checked(await fetch(path(parts) + query, {headers: headers({})}));
  return (answer.headers.get("Content-Type") || "").includes("json") ? answer.json() : answer.text();
}

async function send(method, parts, body) {
  const answer = await fetch(path(parts), {
    method,
    headers: headers({"Content-Type": "application/json"}),
    body: JSON.stringify(body),
  });
  return (await checked(answer)).json();
}

export const post = (parts, body = {}) => send("POST", parts, body);
export const put = (parts, body) => send("PUT", parts, body);

function* messages(lines) {
  let name = "message", data = [];
  for (const line of lines) {
    if (line.startsWith("event: ")) name = line.slice(7);
    else if (line.startsWith("data: ")) data.push(line.slice(6));
  }
  if (data.length) yield [name, JSON.parse(data.join("\n"))];
}

// Server-sent events until the answer ends or `signal` fires: take(name, data) for each. EventSource cannot send a token.
// `opened` is awaited first: what happens from then on is told.
export async function listen(parts, signal, take, opened) {
  const answer = await checked(await fetch(path(parts), {headers: headers({Accept: "text/event-stream"}), signal}));
  if (opened) await opened();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const {value, done} = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) for (const [name, data] of messages(block.split("\n"))) take(name, data);
  }
}
