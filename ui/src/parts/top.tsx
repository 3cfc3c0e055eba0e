// The top of the page: name and places; and what went wrong with the page itself.
import { addressOf, large, open, route } from "../route";
import { complain, connected, mayChange, notice, session } from "../state";
import { language, speak, words } from "../words";
import { House, Icon, type IconName } from "./icons";

/** The other language, by its own name. */
function Language() {
  const other = language.value === "fr" ? "en" : "fr";
  return (
    <button type="button" class="bare" lang={other} onClick={() => void speak(other).catch(complain)}>
      {other === "fr" ? "Français" : "English"}
    </button>
  );
}

export function Top() {
  return (
    <header class="top">
      <a class="brand" href={addressOf("")}>
        <House />
        {words.value.title}
      </a>
      <div class="who">
        <Language />
      </div>
    </header>
  );
}

export function Places() {
  const w = words.value;
  if (session.value?.state !== "open") return null;
  const onHome = route.value === "" || open.value !== null || large.value !== null;
  const place = (to: string, icon: IconName, text: string) => (
    <a href={to === "" ? addressOf("") : `#/${to}`} aria-current={(to === "" ? onHome : route.value === to) ? "page" : undefined}>
      <Icon name={icon} />
      {text}
    </a>
  );
  return (
    <nav class="nav" aria-label={w.menu}>
      {place("", "home", w.home)}
      {mayChange.value && place("record", "record", w.record)}
      {place("settings", "settings", w.settings)}
    </nav>
  );
}

/** What is wrong with the page itself; `said`: the page shows on its own that the box cannot be reached. */
export function Banner({ said }: { said: boolean }) {
  const w = words.value;
  return (
    <div role="alert">
      {!connected.value && !said && (
        <p class="banner bad">
          {w.noConnection} {w.noConnectionWhy}
        </p>
      )}
      {notice.value && (
        <p class={notice.value.bad ? "banner bad" : "banner"}>
          {notice.value.text}
          <button type="button" class="plain" onClick={() => (notice.value = null)}>
            {w.close}
          </button>
        </p>
      )}
    </div>
  );
}
