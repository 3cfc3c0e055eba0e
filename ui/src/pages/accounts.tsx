// Accounts: who may look and who may change.
import { useEffect, useState } from "preact/hooks";

import { Failure, hub, type Account, type Role } from "../api";
import { begin, complain, failureText, mayChange, session } from "../state";
import { words } from "../words";
import { Own } from "./own";

export function Accounts() {
  const w = words.value;
  const { account, second } = session.value ?? {};
  // Where the page is open to everybody, nobody has an account of their own.
  const own = account && account.name !== "local" && <Own name={account.name} second={second === true} />;
  return (
    <div class="text">
      <h1>{w.accounts}</h1>
      {own}
      {mayChange.value && <Others />}
    </div>
  );
}

function Others() {
  const w = words.value;
  const [all, setAll] = useState<Account[] | null>(null);
  const [trouble, setTrouble] = useState("");
  const load = () =>
    hub
      .accounts()
      .then(({ accounts }) => setAll(accounts))
      .catch(complain);
  useEffect(() => void load(), []);

  const add = async (event: SubmitEvent) => {
    event.preventDefault();
    const element = event.currentTarget as HTMLFormElement;
    const form = new FormData(element);
    const [name, password] = [String(form.get("name")), String(form.get("password"))];
    try {
      const first = all?.length === 0;
      await hub.addAccount(name, password, String(form.get("role")) as Role);
      setTrouble("");
      element.reset();
      // From the first account on, the page asks for a password.
      if (first) await begin();
      else await load();
    } catch (error) {
      setTrouble(error instanceof Failure && error.message ? error.message : failureText(error));
    }
  };
  const remove = (name: string) =>
    hub
      .removeAccount(name)
      .then(load)
      .catch((error: unknown) => setTrouble(error instanceof Failure && error.message ? error.message : failureText(error)));
  return (
    <>
      <h2>{w.allAccounts}</h2>
      <p>{w.accountsText}</p>
      {all?.length === 0 && <p class="hint">{w.localOpen}</p>}
      <ul class="plain-list">
        {all?.map((account) => (
          <li key={account.name}>
            <strong>{account.name}</strong> {account.role === "owner" ? w.owner : w.viewer}
            {account.name !== session.value?.account?.name && (
              <button type="button" aria-label={w.removeAccount(account.name)} onClick={() => void remove(account.name)}>
                {w.remove}
              </button>
            )}
          </li>
        ))}
      </ul>
      <form class="login" onSubmit={(event) => void add(event)}>
        <h2>{w.addAccount}</h2>
        <label>
          {w.name}
          <input name="name" autocomplete="off" autocapitalize="none" required maxLength={64} />
        </label>
        <label>
          {w.password}
          <input name="password" type="password" autocomplete="new-password" required minLength={10} aria-describedby="rule" />
        </label>
        <p class="hint" id="rule">
          {w.passwordRule}
        </p>
        <label>
          {w.role}
          <select name="role">
            <option value="owner">{w.owner}</option>
            <option value="viewer">{w.viewer}</option>
          </select>
        </label>
        <p class="trouble" role="alert">
          {trouble}
        </p>
        <button type="submit" class="main">
          {w.addAccount}
        </button>
      </form>
    </>
  );
}
