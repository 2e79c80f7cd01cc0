// The page of the service in a real browser: what it shows, what it does, and that it stays right when things go wrong.
import assert from "node:assert/strict";
import {after, before, test} from "node:test";
import {DESKTOP, digest, launch, open, PHONE, picture, Service, source} from "./world.mjs";

const ROWS = Array.from({length: 3}, (_, i) => ({id: `r${i}`, n: i}));
const REFUSED = /status of 401|ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|Failed to load resource|net::/;
let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

// A service with these pipelines, a source, and both gone at the end.
async function world(t, pipelines, answer = () => ROWS, settings = {}) {
  const feed = await source(answer), service = await new Service(feed.url, pipelines, settings).start();
  t.after(async () => {
    await service.close();
    feed.close();
  });
  return service;
}

// A source that answers when it is let go.
function held() {
  let go;
  const gate = new Promise(resolve => (go = resolve));
  return {answer: () => gate.then(() => ROWS), go};
}

const row = (page, name) => page.locator(".pipeline", {has: page.getByRole("link", {name, exact: true})});
const shows = (locator, text) => locator.getByText(text, {exact: true}).first().waitFor({timeout: 20000});

test("a sync is started and seen to end, live", async t => {
  const {answer, go} = held(), service = await world(t, {orders: {}, customers: {schedule: "24h"}}, answer);
  const page = await open(browser, service.url);
  await shows(row(page, "customers"), "running");
  await shows(row(page, "orders"), "never ran");
  await row(page, "orders").getByRole("button", {name: "Sync"}).click();
  await shows(row(page, "orders"), "running");
  go();
  await shows(row(page, "orders"), "ok");
  await shows(row(page, "orders"), "3");
  await shows(row(page, "customers"), "ok");
  await page.getByRole("button", {name: "2 Fine"}).waitFor();
  await row(page, "orders").getByRole("img", {name: "last 1 syncs, 0 failed"}).waitFor();
  await picture(page, "pipelines");
  assert.deepEqual(page.complaints, []);
});

test("what happens while the list is on its way is seen", async t => {
  const {answer, go} = held(), service = await world(t, {orders: {schedule: "24h"}}, answer);
  const ended = async () => (await (await fetch(`${service.url}/api/v1/jobs?status=succeeded`)).json()).jobs.length > 0;
  const page = await open(browser, service.url, DESKTOP, undefined, page => page.route("**/api/v1/pipelines?*", async route => {
    const listed = await route.fetch();
    go();
    while (!await ended()) await new Promise(resolve => setTimeout(resolve, 20));
    await route.fulfill({response: listed});
  }, {times: 1}));
  await shows(row(page, "orders"), "ok");
  assert.deepEqual(page.complaints, []);
});

test("what the readme shows", async t => {
  let refuses = false, size = 600;
  const {answer, go} = held();
  t.after(go);
  const many = url => (url.startsWith("/tickets") ? answer() : url.startsWith("/billing") && refuses ? 401
    : Array.from({length: (size += 37)}, (_, i) => ({id: `r${i}`, n: i})));
  const feed = await source(many);
  t.after(feed.close);
  const of = (connector, path, schedule) => ({connector, destination: "warehouse", schedule, config: {base_url: `${feed.url}/${path}`}});
  const service = await new Service(feed.url, {
    shop: of("shop", "shop", "15m"), crm: of("hubspot", "crm", "1h"), billing: of("stripe", "billing", "30m"), tickets: of("zendesk", "tickets", "10m"),
    ledger: of("postgres", "ledger", "5m"), month_end: of("postgres", "month", {cron: "30 2 1 * *", timezone: "Europe/Oslo"}),
  }).start();
  t.after(() => service.close());
  const page = await open(browser, service.url, {viewport: {width: 1180, height: 690}});
  for (let round = 0; round < 8; round++) {
    refuses = round === 3 || round === 7;
    for (const name of ["shop", "crm", "billing", "ledger"]) {
      await row(page, name).getByRole("button", {name: "Sync"}).click();
      await row(page, name).getByRole("button", {name: "Sync"}).waitFor();
    }
  }
  await shows(row(page, "billing"), "failed");
  await row(page, "ledger").getByRole("button", {name: "Pause"}).click();
  await shows(row(page, "ledger"), "paused");
  await shows(row(page, "tickets"), "running");
  await page.mouse.move(0, 0);
  await page.locator("#told").evaluate(told => told.replaceChildren());
  await picture(page, "readme");
  await page.emulateMedia({colorScheme: "dark"});
  await picture(page, "readme-dark");
  assert.deepEqual(page.complaints, []);
});

test("a pipeline's streams, plan, log and history", async t => {
  const service = await world(t, {orders: {schedule: "24h"}});
  const page = await open(browser, `${service.url}/#/pipelines/orders`);
  await shows(page.locator(".head"), "ok");
  await page.getByRole("button", {name: "Show streams"}).click();
  const stream = page.getByRole("row", {name: /^rows full_refresh/});
  await stream.waitFor();
  await stream.getByText("2 fields").click();
  await stream.getByRole("cell", {name: "integer"}).waitFor();
  await page.waitForTimeout(1500);
  assert.ok(await stream.getByRole("cell", {name: "integer"}).isVisible(), "what was opened stays open when the page is updated");
  await page.getByRole("button", {name: "Show the plan"}).click();
  await page.getByText(/GET http:\/\/127.0.0.1:\d+\/rows/).first().waitFor();
  await page.getByRole("link", {name: "#1"}).first().click();
  await page.getByRole("heading", {name: "Job #1"}).waitFor();
  await page.locator(".log").getByText(/rows done: 3 rows written/).waitFor();
  await page.locator(".lane").getByText("rows").waitFor();
  await picture(page, "job");
  await page.goBack();
  await page.getByRole("heading", {name: "orders"}).waitFor();
  assert.deepEqual(page.complaints, []);
});

test("a column is blocked and let through again", async t => {
  const service = await world(t, {orders: {schedule: "24h", streams: {rows: {columns: {secret: {enabled: false, reason: "personal"}}}}}});
  const page = await open(browser, `${service.url}/#/pipelines/orders`);
  await shows(page.locator(".head"), "ok");
  await page.getByRole("button", {name: "Show streams"}).click();
  const stream = page.getByRole("row", {name: /^rows full_refresh/});
  await stream.getByText("2 fields").click();
  const n = stream.getByRole("row", {name: /^n integer/}), key = stream.getByRole("row", {name: /^id string/});
  await stream.getByText("blocked by sluice.yaml: personal").waitFor();
  assert.equal(await key.getByRole("button").count(), 0, "a key cannot be blocked");
  await n.getByRole("button", {name: "Block"}).click();
  await page.getByRole("button", {name: "Cancel"}).click();
  await n.getByRole("button", {name: "Block"}).click();
  await page.getByRole("button", {name: "Block it"}).click();
  await n.getByText("blocked").first().waitFor();
  await picture(page, "columns");
  await page.reload();
  await page.getByRole("button", {name: "Show streams"}).click();
  await stream.getByText("2 fields").click();
  await n.getByRole("button", {name: "Store again"}).click();
  await n.getByRole("button", {name: "Block"}).waitFor();
  assert.deepEqual(page.complaints, []);
});

test("what would be destructive is asked about first", async t => {
  const {answer, go} = held(), service = await world(t, {orders: {}}, answer);
  const page = await open(browser, `${service.url}/#/pipelines/orders`);
  await page.getByRole("button", {name: "Full refresh"}).click();
  await page.getByRole("dialog").getByText(/from the beginning/).waitFor();
  await page.keyboard.press("Escape");
  await shows(page.locator(".head"), "never ran");
  await page.getByRole("button", {name: "Sync now"}).click();
  await page.getByRole("button", {name: "Cancel"}).click();
  await page.getByRole("dialog").getByRole("button", {name: "End it"}).click();
  await shows(page.locator(".head"), "cancelled");
  go();
  await page.getByRole("button", {name: "Pause"}).click();
  await shows(page.locator(".head"), "paused");
  await page.getByRole("button", {name: "Resume"}).click();
  await shows(page.locator(".head"), "cancelled");
  await page.getByRole("button", {name: "Check"}).click();
  await page.getByText("orders: configuration, source and destination are fine.").waitFor();
  assert.deepEqual(page.complaints, []);
});

test("what failed says why, and what to do", async t => {
  const service = await world(t, {orders: {schedule: "24h"}}, () => 401);
  const page = await open(browser, service.url);
  await shows(row(page, "orders"), "failed");
  await row(page, "orders").getByText(/401 Unauthorized/).waitFor();
  await row(page, "orders").getByRole("link", {name: "orders"}).click();
  await page.locator(".failure .hint").getByText(/check the credentials/).waitFor();
  await picture(page, "failed");
  assert.deepEqual(page.complaints, []);
});

test("what monitors found is shown", async t => {
  let rejects = false;
  const service = await world(t, {orders: {schedule: "24h", monitors: {rejects: 0}}}, () => (rejects ? [...ROWS, {n: 1}] : ROWS));
  const page = await open(browser, service.url);
  await shows(row(page, "orders"), "ok");
  rejects = true;
  await row(page, "orders").getByRole("button", {name: "Sync"}).click();
  await row(page, "orders").getByText(/the newest sync rejected 1 records/).waitFor({timeout: 60000});
  await row(page, "orders").getByRole("link", {name: "orders"}).click();
  await page.locator(".odd-note").getByText(/rejected 1 records/).waitFor();
  assert.deepEqual(page.complaints, []);
});

test("what was rejected, and how tables came to be as they are", async t => {
  const service = await world(t, {orders: {schedule: "24h", destination: "database"}}, () => [...ROWS, {n: 1}, {id: "x", n: "<b>many</b>", more: true}]);
  const page = await open(browser, `${service.url}/#/pipelines/orders`);
  await shows(page.locator(".head"), "ok");
  await page.getByRole("button", {name: "Show rejects"}).click();
  const wrong = page.getByRole("row", {name: /rows n expected integer, got a string/}), keyless = page.getByRole("row", {name: /missing_primary_key, row dropped/});
  await keyless.waitFor();
  await wrong.getByText("as it was").click();
  await wrong.getByText('"n":"<b>many</b>"').waitFor();
  await page.getByRole("button", {name: "Show changes"}).click();
  await page.getByRole("row", {name: /raw.rows column added more boolean/}).waitFor();
  await page.getByRole("row", {name: /raw.rows table made/}).scrollIntoViewIfNeeded();
  await picture(page, "past");
  assert.deepEqual(page.complaints, []);
});

test("hostile texts are texts", async t => {
  const name = "a<img src=x onerror=document.title='owned'>\u202e&lt;b>".slice(0, 60);
  const service = await world(t, {[name]: {}, ["b".repeat(120)]: {}}, () => [{id: "<script>document.title='owned'</script>", n: 1}]);
  const page = await open(browser, service.url, PHONE);
  await page.getByText(name).waitFor();
  await page.getByText(name).click();
  await page.getByRole("heading", {name}).waitFor();
  await page.goto(`${service.url}/#/pipelines/%3Cscript%3E`);
  await page.getByRole("heading", {name: "<script>"}).waitFor();
  await page.goto(`${service.url}/#/pipelines/%zz`);
  await page.getByText("sluice.yaml has no pipeline of that name.").waitFor();
  await page.goto(`${service.url}/#/jobs/99999999`);
  await page.getByText(/there is no job/i).waitFor();
  assert.notEqual(await page.title(), "owned");
  assert.equal(await page.locator("main script, main img").count(), 0);
  assert.deepEqual(page.complaints.filter(text => !/404/.test(text)), []);
});

test("a token is asked for, and kept for the tab", async t => {
  const token = "slt_of_a_test", service = await world(t, {orders: {}}, () => ROWS, {tokens: {me: {sha256: digest(token), scope: "read"}}});
  const page = await open(browser, service.url, DESKTOP, REFUSED);
  await page.getByRole("dialog").getByLabel("Token").fill("wrong");
  await page.keyboard.press("Enter");
  await page.getByText("The service does not know this token.").waitFor();
  await page.getByRole("dialog").getByLabel("Token").fill(token);
  await page.keyboard.press("Enter");
  await shows(row(page, "orders"), "never ran");
  await page.reload();
  await shows(row(page, "orders"), "never ran");
  await row(page, "orders").getByRole("button", {name: "Sync"}).click();
  await page.getByText(/scope does not allow this; use a token of scope run/).waitFor();
  assert.deepEqual(page.complaints, []);
});

test("a service that is killed and comes back", async t => {
  const service = await world(t, {orders: {}});
  const page = await open(browser, service.url, DESKTOP, REFUSED);
  await shows(page.locator("#link"), "live").catch(() => page.locator("#link.live").waitFor());
  await service.kill();
  await page.locator("#link.lost").waitFor();
  await service.start(new URL(service.url).port);
  await page.locator("#link.live").waitFor();
  await row(page, "orders").getByRole("button", {name: "Sync"}).click();
  await shows(row(page, "orders"), "ok");
  assert.deepEqual(page.complaints, []);
});

test("on a phone nothing hangs over", async t => {
  const service = await world(t, {orders: {schedule: "24h"}, "a_pipeline_with_a_name_that_is_longer_than_a_phone_is_wide": {schedule: "24h"}}, url => (url ? 401 : 401));
  const page = await open(browser, service.url, PHONE);
  await shows(row(page, "orders"), "failed");
  for (const path of ["#/", "#/pipelines/orders", "#/jobs", "#/jobs/1", "#/connectors", "#/connectors/github"]) {
    await page.goto(`${service.url}/${path}`);
    await page.locator("main h1").waitFor({timeout: 5000}).catch(() => assert.fail(`${path}: ${page.complaints}`));
    await page.waitForTimeout(300);
    const [wide, seen] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.ok(wide <= seen, `${path} is ${wide} wide on ${seen}`);
  }
  await page.goto(`${service.url}/#/`);
  await shows(row(page, "orders"), "failed");
  await picture(page, "phone");
  assert.deepEqual(page.complaints, []);
});

// Every text against what is behind it, as WCAG 2 counts (https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio).
const CONTRASTS = () => {
  const parse = color => color.match(/[\d.]+/g).map(Number);
  const channel = value => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const weak = [];
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].filter(node => node.nodeType === 3 && node.data.trim()).map(node => node.data.trim()).join(" ");
    if (!text || !element.checkVisibility() || element.disabled) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) weak.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return weak;
};

for (const colorScheme of ["light", "dark"])
  test(`every text can be read, ${colorScheme}`, async t => {
    const {answer, go} = held();
    t.after(go);
    const service = await world(t, {fine: {schedule: "24h"}, bad: {schedule: "24h", config: {base_url: "http://127.0.0.1:1"}}, paused: {}}, answer);
    const page = await open(browser, service.url, {...DESKTOP, colorScheme});
    await shows(row(page, "fine"), "running");
    await row(page, "paused").getByRole("button", {name: "Pause"}).click();
    await shows(row(page, "paused"), "paused");
    await shows(row(page, "bad"), "retrying");
    assert.deepEqual(await page.evaluate(CONTRASTS), []);
    if (colorScheme === "dark") await picture(page, "dark");
    for (const path of ["#/pipelines/bad", "#/jobs", "#/connectors/github"]) {
      await page.goto(`${service.url}/${path}`);
      await page.locator("main h1").waitFor();
      await page.waitForTimeout(300);
      assert.deepEqual(await page.evaluate(CONTRASTS), [], path);
    }
    assert.deepEqual(page.complaints, []);
  });

test("by keyboard alone", async t => {
  const service = await world(t, {orders: {}});
  const page = await open(browser, service.url);
  await shows(row(page, "orders"), "never ran");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
  const seen = [];
  for (let i = 0; i < 15 && seen.at(-1) !== "Sync"; i++) {
    await page.keyboard.press("Tab");
    seen.push(await page.evaluate(() => document.activeElement.textContent));
    assert.ok(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle !== "none"), "the focus is seen");
  }
  assert.equal(seen.at(-1), "Sync", seen.join(" > "));
  await page.keyboard.press("Enter");
  await shows(row(page, "orders"), "ok");
  assert.deepEqual(page.complaints, []);
});

test("a name that is looked for", async t => {
  const service = await world(t, Object.fromEntries(Array.from({length: 60}, (_, i) => [`p${i}`, {}])));
  const page = await open(browser, service.url);
  await row(page, "p59").waitFor();
  await page.getByRole("searchbox").fill("P5");
  await page.waitForFunction(() => document.querySelectorAll(".pipeline").length === 11);
  await page.waitForTimeout(1500);
  assert.equal(await page.getByRole("searchbox").inputValue(), "P5", "what is typed stays when the page is updated");
  await page.getByRole("searchbox").fill("nothing");
  await page.getByText("None like that.").waitFor();
  assert.deepEqual(page.complaints, []);
});
