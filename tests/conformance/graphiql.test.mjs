// The GraphiQL page in a real browser whose network ends at this machine.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { createService, origin, pause, signIn, until } from "./support.mjs";

let browser;
let page;
const complaints = [];

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ],
  });
  page = await browser.newPage({ viewport: { width: 1500, height: 900 } });
  page.setDefaultTimeout(60_000);
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("requestfailed", (request) => complaints.push(`failed: ${request.url()}`));
  page.on("request", (request) => request.url().startsWith(origin) || complaints.push(`foreign: ${request.url()}`));
});

after(() => browser?.close());

const run = () => page.locator(".graphiql-execute-button").click();
const text = async (place) =>
  (await page.locator(`.graphiql-${place} .view-lines`).first().innerText()).replaceAll("\u00a0", " ");

// Does something until the answer shows one of the texts.
async function answers(texts, attempt) {
  let shown;
  await until(
    () => `the answer shows ${texts}; it shows ${shown}; the browser says ${JSON.stringify(complaints)}`,
    async () => {
      shown = await text("response");
      if (texts.some((wanted) => shown.includes(wanted))) return true;
      await attempt();
      await pause(1_000);
    },
  );
}

test("a visitor of the demo signs in and runs a sample", async () => {
  const account = new URLSearchParams({ email: "owner@demo.example", password: process.env.CONFORMANCE_PASSWORD });
  const response = await page.goto(`${origin}/graphiql#${account}`);
  assert.equal(response.status(), 200, "the page is built in: run web/build, then cargo build");
  assert.match(response.headers()["content-security-policy"], /^default-src 'none'; script-src 'self';/);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("owner@demo.example").waitFor();
  assert.ok(!page.url().includes("password"), "the password does not stay in the address");
  await page.locator(".graphiql-execute-button").waitFor();
  // The page reads the schema once more after a sign-in, and runs nothing meanwhile.
  await answers(['"email": "owner@demo.example"'], run);
});

test("every tab holds a sample; headers, history and the documentation are at hand", async () => {
  assert.ok((await page.locator(".graphiql-tab-button").count()) >= 9);
  for (const name of ["Headers", "Show History", "Show Documentation Explorer"]) {
    assert.equal(await page.getByRole("button", { name }).count(), 1, name);
  }
});

test("a subscription shows what happens while it is open", async () => {
  const token = await signIn();
  await page.evaluate(() => sessionStorage.clear());
  await page.locator(".graphiql-add-tab, button[aria-label='New tab']").first().click();
  // A new tab begins with a comment: what is typed before all of it is selected would become part of it.
  const subscription = "subscription { changes(types: [SERVICE]) { action id } }";
  await until("the editor holds the subscription, and nothing else", async () => {
    await page.locator(".graphiql-query-editor .view-lines").first().click();
    await page.keyboard.press("Control+A");
    await page.keyboard.insertText(subscription);
    return (await text("query-editor")).replace(/\s/g, "") === subscription.replace(/\s/g, "");
  });
  // The button stops what runs. Nothing says from when on it listens.
  const stopped = page.getByRole("button", { name: /^Execute query/ });
  const created = [];
  await answers(created, async () => {
    if (await stopped.count()) await run();
    created.push(await createService(token));
  });
});

test("the browser had nothing to complain about", () => {
  assert.deepEqual(complaints, []);
});
