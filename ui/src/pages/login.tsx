// Logging in, and the first account.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import { Failure, hub, type Session } from "../api";
import { enter, failureText } from "../state";
import { words } from "../words";

interface Props {
  title: string;
  action: string;
  fresh: boolean;
  send: (name: string, password: string) => Promise<Session>;
  children?: ComponentChildren;
}

function Form({ title, action, fresh, send, children }: Props) {
  const w = words.value;
  const [trouble, setTrouble] = useState("");
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    try {
      enter(await send(String(form.get("name")), String(form.get("password"))));
    } catch (error) {
      const code = error instanceof Failure ? error.code : null;
      if (code === "login") setTrouble(w.wrong);
      else if (code === "forbidden" && fresh) setTrouble(w.setupElsewhere);
      else if (code === "bad-request" && error instanceof Failure) setTrouble(error.message);
      else setTrouble(failureText(error));
    }
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
      <p class="trouble" role="alert">
        {trouble}
      </p>
      <button type="submit" class="main">
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
    </Form>
  );
}
