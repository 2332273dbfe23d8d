// What the suites share: where the server is, and who asks.
export const origin = process.env.CONFORMANCE_URL ?? "http://127.0.0.1:8080";
export const url = `${origin}/graphql`;
export const socketUrl = url.replace("http", "ws");

export async function ask(query, { variables, token } = {}) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query, variables }),
  });
  return response.json();
}

export async function ok(query, options) {
  const { data, errors } = await ask(query, options);
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

export async function signIn(email = "owner@demo.example") {
  const input = { email, password: process.env.CONFORMANCE_PASSWORD };
  const query = "mutation ($input: SignInInput!) { signIn(input: $input) { accessToken } }";
  return (await ok(query, { variables: { input } })).signIn.accessToken;
}

let number = 0;
// A change that subscribers hear of.
export async function createService(token) {
  const name = `Conformance ${Date.now()} ${number++}`;
  const input = { name, appointmentType: "CONSULTATION", durationMinutes: 30 };
  const query = "mutation ($input: CreateServiceInput!) { createService(input: $input) { service { id } } }";
  const data = await ok(query, { token, variables: { input } });
  return data.createService.service.id;
}

export const CHANGES = "subscription ($after: String) { changes(after: $after, types: [SERVICE]) { id cursor } }";
export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Waits until the condition holds: these machines do other things as well, so no time is the right one.
export async function until(what, holds, patience = 60_000) {
  for (const end = performance.now() + patience; performance.now() < end; await pause(50)) {
    if (await holds()) return;
  }
  throw new Error(`it never came to this: ${typeof what === "function" ? what() : what}`);
}

// Makes changes until one of them is heard of: nothing says from when on a subscriber listens.
export async function createUntil(token, heard) {
  const created = [];
  let over = false;
  const done = heard.finally(() => (over = true));
  while (!over) {
    created.push(await createService(token));
    await Promise.race([done, pause(250)]);
  }
  return { created, event: await done };
}
