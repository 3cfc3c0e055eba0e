// Which page is shown: the part of the address after "#".
import { signal } from "@preact/signals";

const here = () => (typeof location === "undefined" ? "" : location.hash.replace(/^#\/?/, ""));

export const route = signal(here());

if (typeof addEventListener !== "undefined") {
  addEventListener("hashchange", () => {
    route.value = here();
    document.getElementById("content")?.focus();
    scrollTo(0, 0);
  });
}
