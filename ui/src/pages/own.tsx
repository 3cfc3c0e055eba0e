// What everybody can change of their own account: the password, and the second factor.
import { useState } from "preact/hooks";

import { Failure, hub, type Offer } from "../api";
import { Dialog } from "../parts/dialog";
import { begin, failureText } from "../state";
import { words } from "../words";
import { CodeField } from "./login";

/** What went wrong with a form in which somebody gives the password again. */
function troubleOf(error: unknown): string {
  if (!(error instanceof Failure)) return failureText(error);
  if (error.code === "login") return words.value.wrongPassword;
  if (error.code === "second") return words.value.wrongCode;
  if (error.code === "bad-request") return error.message;
  return failureText(error);
}

/** Sends a form; true once it went well. */
function useForm(send: (form: FormData) => Promise<void>) {
  const [trouble, setTrouble] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    setTrouble("");
    send(new FormData(event.currentTarget as HTMLFormElement))
      .catch((error: unknown) => setTrouble(troubleOf(error)))
      .finally(() => setBusy(false));
  };
  return { trouble, busy, submit };
}

function PasswordField({ name, label, fresh }: { name: string; label: string; fresh: boolean }) {
  return (
    <label>
      {label}
      <input name={name} type="password" autocomplete={fresh ? "new-password" : "current-password"} required minLength={fresh ? 10 : 1} />
    </label>
  );
}

function ChangePassword({ onClose }: { onClose: () => void }) {
  const w = words.value;
  const [done, setDone] = useState(false);
  const form = useForm(async (given) => {
    await hub.changePassword(String(given.get("password")), String(given.get("new")));
    setDone(true);
  });
  return (
    <Dialog title={w.changePassword} onClose={onClose}>
      {done ? (
        <p role="status">{w.passwordChanged}</p>
      ) : (
        <form class="login" onSubmit={form.submit}>
          <p>{w.changePasswordText}</p>
          <PasswordField name="password" label={w.passwordNow} fresh={false} />
          <PasswordField name="new" label={w.passwordNew} fresh />
          <p class="hint">{w.passwordRule}</p>
          <p class="trouble" role="alert">
            {form.trouble}
          </p>
          <button type="submit" class="main" disabled={form.busy}>
            {w.save}
          </button>
        </form>
      )}
    </Dialog>
  );
}

/** A QR code: dark modules on white, whatever the colours of the page, because cameras expect it. */
function Picture({ rows, label }: { rows: string[]; label: string }) {
  const margin = 4;
  const size = rows.length + 2 * margin;
  const dark = rows.flatMap((row, y) => [...row].map((module, x) => (module === "1" ? `M${x + margin} ${y + margin}h1v1h-1z` : ""))).join("");
  return (
    <svg class="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label} shape-rendering="crispEdges">
      <path fill="#fff" d={`M0 0h${size}v${size}H0z`} />
      <path fill="#000" d={dark} />
    </svg>
  );
}

function SwitchOn({ onClose }: { onClose: () => void }) {
  const w = words.value;
  const [offer, setOffer] = useState<Offer | null>(null);
  const [recovery, setRecovery] = useState<string[] | null>(null);
  const first = useForm(async (given) => setOffer(await hub.offerSecond(String(given.get("password")))));
  const then = useForm(async (given) => setRecovery((await hub.confirmSecond(String(given.get("code")))).recovery));
  const close = () => {
    onClose();
    if (recovery) void begin();
  };
  if (recovery) {
    return (
      <Dialog title={w.recoveryTitle} onClose={close}>
        <p role="status">{w.recoveryText}</p>
        <ol class="codes">
          {recovery.map((code) => (
            <li key={code}>
              <code>{code}</code>
            </li>
          ))}
        </ol>
      </Dialog>
    );
  }
  if (offer) {
    return (
      <Dialog title={w.secondTitle} onClose={close}>
        <form class="login" onSubmit={then.submit}>
          <p>{w.secondScan}</p>
          <Picture rows={offer.picture} label={w.secondPicture} />
          <p>
            {w.secondByHand} <code class="secret">{offer.secret.replace(/(.{4})(?=.)/g, "$1 ")}</code>
          </p>
          <CodeField label={w.secondCode} hint={w.secondCodeHint} />
          <p class="trouble" role="alert">
            {then.trouble}
          </p>
          <button type="submit" class="main" disabled={then.busy}>
            {w.secondOn}
          </button>
        </form>
      </Dialog>
    );
  }
  return (
    <Dialog title={w.secondTitle} onClose={close}>
      <form class="login" onSubmit={first.submit}>
        <p>{w.secondText}</p>
        <PasswordField name="password" label={w.passwordNow} fresh={false} />
        <p class="trouble" role="alert">
          {first.trouble}
        </p>
        <button type="submit" class="main" disabled={first.busy}>
          {w.go}
        </button>
      </form>
    </Dialog>
  );
}

function SwitchOff({ onClose }: { onClose: () => void }) {
  const w = words.value;
  const form = useForm(async (given) => {
    await hub.dropSecond(String(given.get("password")));
    onClose();
    await begin();
  });
  return (
    <Dialog title={w.secondTitle} onClose={onClose}>
      <form class="login" onSubmit={form.submit}>
        <p>{w.secondOffText}</p>
        <PasswordField name="password" label={w.passwordNow} fresh={false} />
        <p class="trouble" role="alert">
          {form.trouble}
        </p>
        <button type="submit" class="main" disabled={form.busy}>
          {w.secondOff}
        </button>
      </form>
    </Dialog>
  );
}

/** The own account of `name`, which has a second factor or not. */
export function Own({ name, second }: { name: string; second: boolean }) {
  const w = words.value;
  const [open, setOpen] = useState<"password" | "second" | null>(null);
  const close = () => setOpen(null);
  return (
    <section aria-labelledby="own">
      <h2 id="own">{w.ownAccount(name)}</h2>
      <p>{second ? w.secondIsOn : w.secondIsOff}</p>
      <p class="buttons">
        <button type="button" onClick={() => setOpen("password")}>
          {w.changePassword}
        </button>
        <button type="button" onClick={() => setOpen("second")}>
          {second ? w.secondOff : w.secondOn}
        </button>
      </p>
      {open === "password" && <ChangePassword onClose={close} />}
      {open === "second" && (second ? <SwitchOff onClose={close} /> : <SwitchOn onClose={close} />)}
    </section>
  );
}
