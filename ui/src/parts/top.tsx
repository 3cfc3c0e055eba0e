// The top of the page: name, places, language; and what went wrong.
import { hub } from "../api";
import { addressOf, route } from "../route";
import { begin, complain, connected, mayChange, notice, session } from "../state";
import type { Language } from "../time";
import { language, speak, words } from "../words";
import { House } from "./icons";

function Languages() {
  const w = words.value;
  return (
    <label class="language">
      <span class="unseen">{w.language}</span>
      <select
        value={language.value}
        onChange={(event) => void speak(event.currentTarget.value as Language).catch(complain)}
      >
        <option value="en" lang="en">
          English
        </option>
        <option value="fr" lang="fr">
          Français
        </option>
      </select>
    </label>
  );
}

function Places() {
  const w = words.value;
  if (session.value?.state !== "open") return null;
  const place = (to: string, text: string) => (
    <a href={to === "" ? addressOf("") : `#/${to}`} aria-current={route.value === to ? "page" : undefined}>
      {text}
    </a>
  );
  const leave = () =>
    hub
      .logOut()
      .then(begin)
      .catch(complain);
  return (
    <nav aria-label={w.menu}>
      {place("", w.home)}
      {place("accounts", w.accounts)}
      {mayChange.value && place("record", w.record)}
      {session.value.account?.name !== "local" && (
        <button type="button" class="plain" onClick={leave}>
          {w.logOut}
        </button>
      )}
    </nav>
  );
}

export function Top() {
  return (
    <header class="top">
      <a class="name" href="#/">
        <House />
        {words.value.title}
      </a>
      <Places />
      <Languages />
    </header>
  );
}

/** What is wrong with the page itself. */
export function Banner() {
  const w = words.value;
  return (
    <div role="alert" class="banners">
      {!connected.value && <p class="banner bad">{w.noConnection}</p>}
      {notice.value && (
        <p class={notice.value.bad ? "banner bad" : "banner"}>
          {notice.value.text}{" "}
          <button type="button" class="plain" onClick={() => (notice.value = null)}>
            {w.close}
          </button>
        </p>
      )}
    </div>
  );
}
