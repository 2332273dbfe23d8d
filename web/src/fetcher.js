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
    const document = parsed(query);
    // The editor's own tree lags behind the text: the name may be of an operation that was there before.
    const named = document && operationName ? getOperationAST(document, operationName) : null;
    const request = { query, variables, operationName: named ? operationName : undefined };
    const asked = named ?? (document && getOperationAST(document));
    return asked?.operation === "subscription"
      ? subscribe(request, headers)
      : post(request, await withAuthorization(headers));
  };
}

/** Null when it does not parse: what is wrong with it is for the server to answer. */
function parsed(query) {
  try {
    return parse(query);
  } catch {
    return null;
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
