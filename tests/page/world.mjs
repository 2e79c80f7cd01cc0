// What the tests of the page stand on: an API made up as they go, a service on a free port, and a browser.
import {spawn} from "node:child_process";
import {createHash} from "node:crypto";
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from "node:fs";
import http from "node:http";
import {tmpdir} from "node:os";
import {join} from "node:path";
import {chromium} from "playwright-core";

const SLUICE = process.env.SLUICE_BIN, PICTURES = process.env.SLUICE_PICTURES, DATABASE = process.env.SLUICE_DATABASE;
const CONNECTOR = `return sluice.connector {
  name = "feed", version = "1.0.0", http = { base = "{{config.base_url}}", retry = { tries = 1 } },
  config = { base_url = { type = "string", required = true } },
  streams = { rows = { path = "/rows", records = "rows", primary_key = "id", fields = { id = "string", n = "integer" } } },
}`;

// A source. `answer(path)` gives the rows, a status, or a promise of either.
export async function source(answer) {
  const server = http.createServer(async (request, response) => {
    const given = await answer(request.url);
    const status = typeof given === "number" ? given : 200;
    response.writeHead(status, {"Content-Type": "application/json"}).end(JSON.stringify(status === 200 ? {rows: given} : {}));
  });
  await new Promise(resolve => server.listen(0, "127.0.0.1", resolve));
  return {url: `http://127.0.0.1:${server.address().port}`, close: () => (server.closeAllConnections(), server.close())};
}

// A service in a folder of its own. `pipelines`: name -> settings; each reads the source.
export class Service {
  constructor(url, pipelines, settings = {}) {
    this.folder = mkdtempSync(join(tmpdir(), "sluice-page-"));
    writeFileSync(join(this.folder, "feed.lua"), CONNECTOR);
    const connectors = Object.fromEntries(["feed", "shop", "hubspot", "stripe", "postgres", "zendesk"].map(name => [name, "./feed.lua"]));
    const common = {connector: "feed", destination: "files", network: {allow_private: true}, config: {base_url: url}};
    writeFileSync(join(this.folder, "sluice.yaml"), JSON.stringify({
      connectors, destinations: {files: {type: "csv", path: "out"}, warehouse: {type: "csv", path: "out"}, database: {type: "postgres", url: DATABASE, schema: "raw"}}, service: settings,
      pipelines: Object.fromEntries(Object.entries(pipelines).map(([name, own]) => [name, {...common, ...own}])),
    }));
  }

  async start(port = 0) {
    this.process = spawn(SLUICE, ["serve", "--listen", `127.0.0.1:${port}`, "--state-dir", join(this.folder, "state"), "--log-format", "json"],
      {cwd: this.folder, stdio: ["ignore", "ignore", "pipe"]});
    let told = "";
    this.url = await new Promise((resolve, reject) => {
      this.process.stderr.on("data", data => {
        told += data;
        const found = /at (http:\/\/[\d.:]+)/.exec(told);
        if (found) resolve(found[1]);
      });
      this.process.on("exit", code => reject(new Error(`the service ended with ${code}: ${told}`)));
    });
    return this;
  }

  kill() {
    const ended = new Promise(resolve => this.process.on("exit", resolve));
    this.process.kill("SIGKILL");
    return ended;
  }

  async close() {
    if (this.process.exitCode === null && this.process.signalCode === null) await this.kill();
    rmSync(this.folder, {recursive: true, force: true, maxRetries: 5, retryDelay: 200});
  }
}

export const digest = token => createHash("sha256").update(token).digest("hex");

export const DESKTOP = {viewport: {width: 1280, height: 800}};
export const PHONE = {viewport: {width: 360, height: 740}, deviceScaleFactor: 2, isMobile: true, hasTouch: true};

export const launch = () => chromium.launch({executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"]});

// A page of which nothing may be said on the console but what a test expects: errors, or what the content policy refused.
// `before`: what is set up in the page before it goes there.
export async function open(browser, url, options = DESKTOP, expected = /(?!)/, before = () => {}) {
  const context = await browser.newContext(options), page = await context.newPage();
  await before(page);
  page.complaints = [];
  page.on("console", message => ["error", "warning"].includes(message.type()) && !expected.test(message.text()) && page.complaints.push(message.text()));
  page.on("pageerror", error => page.complaints.push(String(error)));
  await page.goto(url);
  return page;
}

export async function picture(page, name) {
  mkdirSync(PICTURES, {recursive: true});
  await page.screenshot({path: join(PICTURES, `${name}.png`)});
}
