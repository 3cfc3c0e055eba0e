// Logging in, and the first account.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { Failure, hub, type Session } from "../api";
import { enter, failureText } from "../state";
import { words } from "../words";

interface Props {
  title: string;
  action: string;
  fresh: boolean;
  send: (name: string, password: string, code: string) => Promise<Session>;
  children?: ComponentChildren;
}

/** A code of an authenticator, or a recovery code. */
export function CodeField({ label, hint }: { label: string; hint: string }) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  return (
    <>
      <label>
        {label}
        <input ref={field} name="code" autocomplete="one-time-code" autocapitalize="characters" spellcheck={false} required aria-describedby="code-hint" />
      </label>
      <p class="hint" id="code-hint">
        {hint}
      </p>
    </>
  );
}

function Form({ title, action, fresh, send, children }: Props) {
  const w = words.value;
  const [trouble, setTrouble] = useState("");
  const [busy, setBusy] = useState(false);
  const [asksCode, setAsksCode] = useState(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    setTrouble("");
    try {
      enter(await send(String(form.get("name")), String(form.get("password")), String(form.get("code") ?? "")));
    } catch (error) {
      const code = error instanceof Failure ? error.code : null;
      if (code === "second") {
        // The first time it is a question, and no trouble.
        setTrouble(asksCode ? w.wrongCode : "");
        setAsksCode(true);
      } else if (code === "login") setTrouble(w.wrong);
      else if (code === "forbidden" && fresh) setTrouble(w.wrongSetupCode);
      else if (code === "bad-request" && error instanceof Failure) setTrouble(error.message);
      else setTrouble(failureText(error));
    }
    setBusy(false);
  };
  return (
    <form class="login" onSubmit={(event) => void submit(event)}>
      <h1>{title}</h1>
      {children}
      <label>
        {w.name}
        <input name="name" autocomplete="username" autocapitalize="none" required maxLength={64} />
      </label>
      <label>
        {w.password}
        <input
          name="password"
          type="password"
          autocomplete={fresh ? "new-password" : "current-password"}
          required
          minLength={fresh ? 10 : 1}
          aria-describedby={fresh ? "rule" : undefined}
        />
      </label>
      {fresh && (
        <p class="hint" id="rule">
          {w.passwordRule}
        </p>
      )}
      {asksCode && <CodeField label={w.code} hint={w.codeHint} />}
      <p class="trouble" role="alert">
        {trouble}
      </p>
      <button type="submit" class="main" disabled={busy}>
        {action}
      </button>
    </form>
  );
}

export function LogIn() {
  const w = words.value;
  return <Form title={w.loginTitle} action={w.enter} fresh={false} send={hub.logIn} />;
}

export function SetUp() {
  const w = words.value;
  return (
    <Form title={w.setupTitle} action={w.create} fresh send={hub.setUp}>
      <p>{w.setupText}</p>
      <CodeField label={w.setupCode} hint={w.setupCodeHint} />
    </Form>
  );
}
