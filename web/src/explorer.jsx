// The page: who is signed in above, GraphiQL below.

import { GraphiQL } from "graphiql";
import { useMemo, useState, useSyncExternalStore } from "react";

import { createFetcher } from "./fetcher.js";
import { sampleTabs } from "./samples.js";
import { currentSession, onSessionChange, signIn, signOut } from "./session.js";

const tabs = sampleTabs();

export function Explorer() {
  const session = useSyncExternalStore(onSessionChange, currentSession);
  // A new fetcher makes GraphiQL read the schema again: production shows it to signed-in users only.
  const fetcher = useMemo(() => createFetcher(), [session?.email]);
  return (
    <>
      <header className="bar">
        <strong>Praxis</strong>
        {session ? <SignedIn session={session} /> : <SignInForm />}
      </header>
      <main>
        <GraphiQL
          fetcher={fetcher}
          defaultTabs={tabs}
          defaultEditorToolsVisibility="variables"
          storage={sessionStorage}
          shouldPersistHeaders
        >
          <GraphiQL.Logo>{null}</GraphiQL.Logo>
        </GraphiQL>
      </main>
    </>
  );
}

function SignedIn({ session }) {
  return (
    <>
      <span className="who">{session.email}</span>
      <button type="button" onClick={() => navigator.clipboard.writeText(currentSession().accessToken)}>
        Copy token
      </button>
      {/* The reload takes the answers off the screen; the tabs' operations stay. */}
      <button type="button" onClick={() => signOut().then(() => location.reload())}>
        Sign out
      </button>
    </>
  );
}

function SignInForm() {
  const [offered] = useState(takeOfferedAccount);
  const [pending, setPending] = useState(false);
  const [problem, setProblem] = useState(null);

  async function submit(event) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setPending(true);
    setProblem(null);
    try {
      await signIn(form.get("email"), form.get("password"));
    } catch (error) {
      setProblem(error.message);
      setPending(false);
    }
  }

  return (
    <form onSubmit={submit}>
      <input name="email" type="email" placeholder="E-mail" aria-label="E-mail" autoComplete="username" required defaultValue={offered.get("email")} />
      <input name="password" type="password" placeholder="Password" aria-label="Password" autoComplete="current-password" required defaultValue={offered.get("password")} />
      <button disabled={pending}>Sign in</button>
      {problem && <output role="alert">{problem}</output>}
    </form>
  );
}

/** `/graphiql#email=…&password=…`, as the demo prints it, fills the form; a fragment never reaches the server. */
function takeOfferedAccount() {
  const offered = new URLSearchParams(location.hash.slice(1));
  if (offered.has("email")) history.replaceState(null, "", location.pathname);
  return offered;
}
