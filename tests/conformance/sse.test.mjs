// Server-sent events: the client library graphql-sse, in its distinct connections mode.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createClient } from "graphql-sse";
import { CHANGES, createService, createUntil, signIn, url } from "./support.mjs";

const token = await signIn();
const client = (headers = { authorization: `Bearer ${token}` }) => createClient({ url, headers, retryAttempts: 0 });

describe("server-sent events", () => {
  test("a query is answered once", async () => {
    const answers = [];
    for await (const answer of client().iterate({ query: "{ viewer { id } }" })) answers.push(answer);
    assert.equal(answers.length, 1);
    assert.ok(answers[0].data.viewer.id);
  });

  test("an error is an answer with its code", async () => {
    const answers = [];
    for await (const answer of client({}).iterate({ query: "subscription { changes { id } }" })) answers.push(answer);
    assert.equal(answers[0].errors[0].extensions.code, "UNAUTHENTICATED");
  });

  test("changes arrive while they are made", async () => {
    const events = client().iterate({ query: CHANGES });
    const { created, event } = await createUntil(token, events.next());
    assert.ok(created.includes(event.value.data.changes.id));
    await events.return();
  });

  test("Last-Event-ID goes on after the last event", async () => {
    const open = async (headers) => {
      const response = await fetch(url, {
        method: "POST",
        headers: { accept: "text/event-stream", "content-type": "application/json", authorization: `Bearer ${token}`, ...headers },
        body: JSON.stringify({ query: "subscription { changes(types: [SERVICE]) { id } }" }),
      });
      assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
      return response.body.pipeThrough(new TextDecoderStream()).getReader();
    };
    const event = async (reader) => {
      let text = "";
      while (!/event: next\ndata: .*\n\n/.test(text)) {
        const { value, done } = await reader.read();
        assert.ok(!done, text);
        text += value;
      }
      return { id: /id: (.*)\n/.exec(text)[1], change: JSON.parse(/data: (\{.*)\n/.exec(text)[1]).data.changes.id };
    };
    const reader = await open({});
    const { created, event: heard } = await createUntil(token, event(reader));
    await reader.cancel();
    const missed = [...created.slice(created.indexOf(heard.change) + 1), await createService(token)];
    const again = await open({ "last-event-id": heard.id });
    assert.equal((await event(again)).change, missed[0]);
    await again.cancel();
  });

  test("a request that is not one is refused by its status", async () => {
    const response = await fetch(url, {
      method: "POST",
      headers: { accept: "text/event-stream", "content-type": "application/json" },
      body: "{",
    });
    assert.equal(response.status, 400);
  });
});
