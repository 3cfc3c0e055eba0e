import { effect } from "@preact/signals";
import { render } from "preact";

import { App } from "./app";
import { houseSentence } from "./sentences";
import { begin, house } from "./state";
import { language, words } from "./words";

effect(() => {
  document.documentElement.lang = language.value;
});

effect(() => {
  const now = house.value;
  document.title = now ? `${words.value.title} – ${houseSentence(now, words.value).text}` : words.value.title;
});

const place = document.getElementById("app");
if (place) render(<App />, place);
void begin();
