// graphql-transport-ws: the client library graphql-ws, and frames written by hand for what no client should send.
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { CHANGES, createService, createUntil, signIn, socketUrl, until } from "./support.mjs";

const PROTOCOL = "graphql-transport-ws";
const token = await signIn();
const connectionParams = { authorization: `Bearer ${token}` };
const client = (options) => createClient({ url: socketUrl, webSocketImpl: WebSocket, retryAttempts: 0, ...options });

describe("the client library", () => {
  test("a query is answered once", async () => {
    const socket = client({ connectionParams });
    const answers = [];
    for await (const answer of socket.iterate({ query: "{ viewer { id } }" })) answers.push(answer);
    assert.equal(answers.length, 1);
    assert.ok(answers[0].data.viewer.id);
    await socket.dispose();
  });

  test("a document that is not valid is an error message, not an answer", async () => {
    const socket = client({ connectionParams });
    const outcome = new Promise((resolve, reject) =>
      socket.subscribe({ query: "{ nothing }" }, { next: reject, error: resolve, complete: reject }),
    );
    const [error] = await outcome;
    assert.equal(error.extensions.code, "GRAPHQL_VALIDATION_FAILED");
    await socket.dispose();
  });

  test("a subscription that was cut goes on where it stood, without a gap or a repetition", async () => {
    const expected = [];
    const heard = [];
    let cursor;
    for (let round = 0; round < 3; round++) {
      const socket = client({ connectionParams });
      const events = socket.iterate({ query: CHANGES, variables: { after: cursor } });
      let event;
      if (round === 0) {
        const first = await createUntil(token, events.next());
        event = first.event;
        expected.push(...first.created.slice(first.created.indexOf(event.value.data.changes.id)));
      } else {
        expected.push(await createService(token));
        event = await events.next();
      }
      for (;;) {
        heard.push(event.value.data.changes.id);
        cursor = event.value.data.changes.cursor;
        if (heard.length === expected.length) break;
        event = await events.next();
      }
      assert.deepEqual(heard, expected, `round ${round}`);
      await socket.dispose();
      if (round < 2) for (let count = 0; count < 3; count++) expected.push(await createService(token));
    }
  });

  test("the same socket carries several operations, and one can be ended", async () => {
    const socket = client({ connectionParams, lazy: false });
    const events = socket.iterate({ query: CHANGES });
    const next = events.next();
    for await (const answer of socket.iterate({ query: "{ __typename }" })) assert.equal(answer.data.__typename, "Query");
    const { created, event } = await createUntil(token, next);
    assert.ok(created.includes(event.value.data.changes.id));
    await events.return();
    for await (const answer of socket.iterate({ query: "{ __typename }" })) assert.equal(answer.data.__typename, "Query");
    await socket.dispose();
  });

  test("a token that is not accepted closes with 4403", async () => {
    const closed = new Promise((resolve) => {
      const socket = client({ connectionParams: { authorization: "Bearer nonsense" }, on: { closed: resolve } });
      socket.subscribe({ query: "{ __typename }" }, { next() {}, error() {}, complete() {} });
    });
    assert.equal((await closed).code, 4403);
  });
});

// A socket that sends these messages; what comes back, and how it ends.
async function say(...messages) {
  const socket = new WebSocket(socketUrl, PROTOCOL);
  await once(socket, "open");
  const heard = [];
  socket.on("message", (text) => heard.push(JSON.parse(text)));
  const closed = once(socket, "close");
  for (const message of messages) {
    // One that has a closing code in store may come after the socket is closed.
    if (socket.readyState === WebSocket.OPEN) socket.send(message instanceof Buffer || typeof message === "string" ? message : JSON.stringify(message));
  }
  return { socket, heard, closed: closed.then(([code, reason]) => ({ code, reason: String(reason) })) };
}

const init = { type: "connection_init", payload: connectionParams };
const subscribe = (id, query, more) => ({ type: "subscribe", id, payload: { query, ...more } });

describe("frames by hand: each ends with the code of the protocol", () => {
  for (const [what, code, ...messages] of [
    ["what is not JSON", 4400, "{"],
    ["a message without a type", 4400, {}],
    ["an unknown type", 4400, { type: "x".repeat(300) }],
    ["a binary message", 4400, Buffer.from(JSON.stringify(init))],
    ["a subscription without an id", 4400, init, { type: "subscribe", payload: { query: "{ __typename }" } }],
    ["a subscription without a document", 4400, init, { type: "subscribe", id: "1", payload: {} }],
    ["a message of the old protocol", 4400, { type: "start", id: "1", payload: { query: "{ __typename }" } }],
    ["a subscription before the acknowledgement", 4401, subscribe("1", "{ __typename }")],
    ["a token that is not accepted", 4403, { type: "connection_init", payload: { authorization: "Bearer x" } }],
    ["no introduction", 4408],
    ["an id twice", 4409, init, subscribe("1", CHANGES), subscribe("1", CHANGES)],
    ["two introductions", 4429, init, init],
    ["more messages than anybody needs", 4429, init, ...Array(150).fill({ type: "pong" })],
    ["a message without an end", 1009, "x".repeat(70_000)],
  ]) {
    test(`${what}: ${code}`, async () => {
      const { closed } = await say(...messages);
      const end = await closed;
      assert.equal(end.code, code, end.reason);
    });
  }

  test("an id may be used again once its operation has ended", async () => {
    const { socket, heard } = await say(init, subscribe("1", CHANGES), { type: "complete", id: "1" });
    socket.send(JSON.stringify(subscribe("1", "{ __typename }")));
    await until("the answer", () => heard.length >= 3);
    assert.deepEqual(heard.map((message) => message.type), ["connection_ack", "next", "complete"]);
    socket.close();
  });

  test("a ping is answered", async () => {
    const { socket, heard } = await say({ type: "ping" });
    await until("the answer", () => heard.length > 0);
    assert.deepEqual(heard.map((message) => message.type), ["pong"]);
    socket.close();
  });

  test("a socket runs so many operations at once and no more", async () => {
    const many = Array.from({ length: 30 }, (_, index) => subscribe(String(index), CHANGES));
    const { socket, heard } = await say(init, ...many, { type: "ping" });
    // Messages are heard in their order: the ping is answered after the last of them.
    await until("the answer to the ping", () => heard.some((message) => message.type === "pong"));
    const refused = heard.filter((message) => message.type === "error");
    assert.equal(refused.length, 10);
    assert.equal(refused[0].payload[0].extensions.code, "RATE_LIMITED");
    socket.close();
  });

  for (const [what, protocols, options, status] of [
    ["another protocol", "mqtt", {}, 400],
    ["the old protocol", "graphql-ws", {}, 400],
    ["no protocol", [], {}, 400],
    ["a page of another site", PROTOCOL, { origin: "https://elsewhere.example" }, 403],
  ]) {
    test(`${what} is refused before there is a socket: ${status}`, async () => {
      const socket = new WebSocket(socketUrl, protocols, options);
      const [, response] = await once(socket, "unexpected-response");
      assert.equal(response.statusCode, status);
      response.destroy();
    });
  }
});
