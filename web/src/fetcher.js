// How GraphiQL reaches the server: HTTP for queries and mutations, a WebSocket for each subscription.

import { getOperationAST, parse } from "graphql";
import { createClient } from "graphql-ws";

import { post } from "./http.js";
import { authorizationHeader } from "./session.js";

const SOCKET_URL = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/graphql`;

/** The signed-in account's token goes with every request, unless the headers editor holds another. */
async function withAuthorization(headers) {
  const edited = Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
  if (edited.authorization) return edited;
  const authorization = await authorizationHeader();
  return authorization ? { ...edited, authorization } : edited;
}

export function createFetcher() {
  return async ({ query, variables, operationName }, { headers } = {}) => {
    const request = { query, variables, operationName: operationName ?? undefined };
    return isSubscription(request) ? subscribe(request, headers) : post(request, await withAuthorization(headers));
  };
}

/** From the text itself: the editor's own tree lags behind it. What does not parse is for the server to answer. */
function isSubscription({ query, operationName }) {
  try {
    return getOperationAST(parse(query), operationName)?.operation === "subscription";
  } catch {
    return false;
  }
}

/** A socket of its own per subscription: it authenticates as whoever is signed in when the subscription starts. */
function subscribe(request, headers) {
  const client = createClient({
    url: SOCKET_URL,
    connectionParams: () => withAuthorization(headers),
    // A reconnect would start the stream afresh and hide what was missed; ending it shows the reason.
    retryAttempts: 0,
  });
  return client.iterate(request);
}
