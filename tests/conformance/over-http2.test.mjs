// HTTP/2 without TLS, as a proxy speaks it to the server.
import assert from "node:assert/strict";
import { connect } from "node:http2";
import { once } from "node:events";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { origin, url } from "./support.mjs";

test("many operations share a connection, and their number is bounded", async () => {
  const session = connect(origin);
  const [settings] = await once(session, "remoteSettings");
  assert.equal(settings.maxConcurrentStreams, 100);
  const answers = Array.from({ length: 50 }, async (_, index) => {
    const stream = session.request({ ":method": "POST", ":path": "/graphql", "content-type": "application/json" });
    stream.end(JSON.stringify({ query: `{ a${index}: __typename }` }));
    const [head] = await once(stream, "response");
    assert.equal(head[":status"], 200);
    let text = "";
    for await (const chunk of stream.setEncoding("utf8")) text += chunk;
    assert.equal(JSON.parse(text).data[`a${index}`], "Query");
  });
  await Promise.all(answers);
  session.close();
});

test("a compressed answer unpacks to the same as the plain one", async () => {
  const query = `{ ${Array.from({ length: 18 }, (_, index) => `${"a_long_alias".repeat(6)}_${index}: __typename`).join(" ")} }`;
  const get = (coding) => {
    const headers = { "content-type": "application/json", "accept-encoding": coding };
    return fetch(url, { method: "POST", headers, body: JSON.stringify({ query }) });
  };
  const [plain, packed] = [await get("identity"), await get("gzip")];
  assert.equal(packed.headers.get("content-encoding"), "gzip");
  // fetch unpacks by itself.
  const data = async (response) => (await response.json()).data;
  assert.deepEqual(await data(packed), await data(plain));
});

test("a compressed request is refused", async () => {
  const headers = { "content-type": "application/json", "content-encoding": "gzip" };
  const body = gzipSync(JSON.stringify({ query: "{ __typename }" }));
  const response = await fetch(url, { method: "POST", headers, body });
  assert.equal(response.status, 415);
});
