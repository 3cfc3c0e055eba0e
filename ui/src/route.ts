// Which page is shown, and what of it: the part of the address after "#". Everything that a reader may want to come back to, or to send
// to somebody, is in it: the open incident, the large camera, and what the list is narrowed to.
import { computed, signal } from "@preact/signals";

const here = () => (typeof location === "undefined" ? "" : location.hash.replace(/^#\/?/, ""));

const address = signal(here());

/** The page, such as "", "accounts", "incident/0199...", "camera/home/door" or "areas/home/door". */
export const route = computed(() => address.value.split("?")[0] ?? "");
/** What comes after "?". */
export const choice = computed(() => new URLSearchParams(address.value.split("?")[1] ?? ""));
/** The incident that is open. */
export const open = computed(() => /^incident\/([^/]+)$/.exec(route.value)?.[1] ?? null);
/** The camera ("site/id") that is shown large. */
export const large = computed(() => /^camera\/([^/]+\/[^/]+)$/.exec(route.value)?.[1] ?? null);

export interface Choice {
  /** "site/id", or "site/" for all of a home; empty: all. */
  camera: string;
  day: string;
  label: string;
}

/** What the list is narrowed to. */
export const filter = computed((): Choice => {
  const part = (name: string) => choice.value.get(name) ?? "";
  return { camera: part("camera"), day: part("day"), label: part("label") };
});

export const isNarrowed = computed(() => Object.values(filter.value).some((part) => part !== ""));

/** The address of `page`, with the list narrowed as it is now or as `change` says. */
export function addressOf(page: string, change: Partial<Choice> = {}): string {
  const wanted = { ...filter.value, ...change };
  const query = Object.entries(wanted).flatMap(([key, value]) => (value ? [`${key}=${encodeURIComponent(value).replace(/%2F/g, "/")}`] : []));
  return `#/${page}${query.length > 0 ? `?${query.join("&")}` : ""}`;
}

/** Home is one page, whether or not an incident is open on it or a camera large. */
const kindOf = (route: string) => (/^(incident|camera)\//.test(route) ? "" : route);

/** Asked before a page is left; false: it stays. */
let mayLeave: (() => boolean) | null = null;

/** Has `ask` decide whether the page may be left, until the function that it returns is called. */
export function holdPage(ask: () => boolean): () => void {
  mayLeave = ask;
  return () => {
    if (mayLeave === ask) mayLeave = null;
  };
}

/** The incident was opened from the list on this visit: Back leads there. */
let openedHere = false;

/** Where the list stood, and what had the focus, when an incident was opened. */
export const left = { scrolled: 0, focus: null as HTMLElement | null };

function arrived(): void {
  const next = here();
  const before = address.peek();
  if (next === before) return;
  const other = kindOf(next.split("?")[0] ?? "") !== kindOf(route.peek());
  if (other && mayLeave && !mayLeave()) {
    // The address has changed already: it is put back.
    history.pushState(null, "", `#/${before}`);
    return;
  }
  if (next.startsWith("incident/") && open.peek() === null) {
    openedHere = !other;
    const focus = document.activeElement;
    Object.assign(left, { scrolled: scrollY, focus: focus instanceof HTMLElement ? focus : null });
  }
  address.value = next;
  if (other) {
    document.getElementById("content")?.focus();
    scrollTo(0, 0);
  }
}

/** Shows `hash` in place of what is shown: Back does not lead here. */
export function replace(hash: string): void {
  history.replaceState(null, "", hash);
  address.value = here();
}

/** Closes the open incident. */
export function close(): void {
  if (open.peek() === null) return;
  if (openedHere) history.back();
  else replace(addressOf(""));
}

if (typeof addEventListener !== "undefined") {
  // The page itself knows where its lists stood.
  history.scrollRestoration = "manual";
  addEventListener("hashchange", arrived);
}
