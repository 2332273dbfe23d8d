// Who is signed in on this tab. Tokens live in sessionStorage: they end with the tab and never reach another one's disk.

import { post } from "./http.js";
import signInMutation from "../operations/session/SignIn.graphql?raw";
import refreshMutation from "../operations/session/RefreshTokens.graphql?raw";
import signOutMutation from "../operations/session/SignOut.graphql?raw";

const KEY = "praxis:session";
const RENEW_BEFORE_MS = 30_000;

let session = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
let renewal = null;
const listeners = new Set();

function store(next) {
  session = next;
  if (next) sessionStorage.setItem(KEY, JSON.stringify(next));
  else sessionStorage.removeItem(KEY);
  listeners.forEach((listener) => listener());
}

export const currentSession = () => session;

export function onSessionChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export async function signIn(email, password) {
  const { signIn } = await execute(signInMutation, { input: { email, password } });
  if (!signIn.accessToken) throw new Error("This account asks for a second factor: run signIn and verifyMfa below.");
  store({ email, ...tokens(signIn) });
}

export async function signOut() {
  const authorization = await authorizationHeader();
  store(null);
  await execute(signOutMutation, {}, authorization).catch(() => {}); // An ended session is signed out as well.
}

/** `Bearer …` with a token that is good for some seconds more, or null. */
export async function authorizationHeader() {
  if (session && Date.now() >= session.renewAt) {
    // A refresh token works once: requests that need it at the same time share one renewal.
    renewal ??= renew().finally(() => (renewal = null));
    await renewal;
  }
  return session ? `Bearer ${session.accessToken}` : null;
}

async function renew() {
  try {
    const { refreshTokens } = await execute(refreshMutation, { input: { refreshToken: session.refreshToken } });
    store({ email: session.email, ...tokens(refreshTokens) });
  } catch {
    store(null);
  }
}

function tokens({ accessToken, refreshToken }) {
  // The token's own span counted from now, so that a wrong clock on this machine does no harm.
  const claims = JSON.parse(atob(accessToken.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
  return { accessToken, refreshToken, renewAt: Date.now() + (claims.exp - claims.iat) * 1000 - RENEW_BEFORE_MS };
}

async function execute(query, variables, authorization) {
  const { data, errors } = await post({ query, variables }, authorization && { authorization });
  if (errors?.length) throw new Error(errors[0].message);
  return data;
}
