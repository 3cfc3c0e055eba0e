import { effect } from "@preact/signals";
import { render } from "preact";

import { App } from "./app";
import { houseSentence } from "./sentences";
import { begin, current, followAddress, house } from "./state";
import { followTheme } from "./theme";
import { language, speakFirst, words } from "./words";

effect(() => {
  document.documentElement.lang = language.value;
});

effect(() => {
  const now = house.value;
  document.title = now ? `${words.value.title} – ${houseSentence(now, current.value, words.value).text}` : words.value.title;
});

followTheme();
followAddress();
// What the hub says is asked for beside the words.
void begin();
const place = document.getElementById("app");
const show = () => place && render(<App />, place);
speakFirst().then(show, show);
