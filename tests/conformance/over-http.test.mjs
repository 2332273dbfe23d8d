// GraphQL over HTTP: the audits of graphql-http, the optional ones too, for somebody signed in and for nobody.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { serverAudits } from "graphql-http";
import { signIn, url } from "./support.mjs";

const token = await signIn();
const signedIn = (target, options = {}) => {
  const headers = new Headers(options.headers);
  headers.set("authorization", `Bearer ${token}`);
  return fetch(target, { ...options, headers });
};

for (const [who, fetchFn] of [["nobody", fetch], ["somebody signed in", signedIn]]) {
  describe(`GraphQL over HTTP, for ${who}`, () => {
    const audits = serverAudits({ url, fetchFn });
    test("there are as many audits as there should be", () => assert.equal(audits.length, 61));
    for (const audit of audits) {
      test(`${audit.id} ${audit.name}`, async () => {
        const result = await audit.fn();
        assert.equal(result.status, "ok", result.reason);
      });
    }
  });
}
