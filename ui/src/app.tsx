// The frame of every page: who is where, and which page is shown.
import { useLayoutEffect } from "preact/hooks";

import { Home } from "./pages/home";
import { lazy } from "./parts/lazy";
import { Banner, Places, Top } from "./parts/top";
import { large, left, open, route } from "./route";
import { session, spoken } from "./state";
import { words } from "./words";

const Accounts = lazy(() => import("./pages/accounts").then((page) => page.Accounts));
const AreasPage = lazy(() => import("./pages/areas").then((page) => page.AreasPage));
const IncidentPage = lazy(() => import("./pages/incident").then((page) => page.IncidentPage));
const LogIn = lazy(() => import("./pages/login").then((page) => page.LogIn));
const RecordPage = lazy(() => import("./pages/record").then((page) => page.RecordPage));
const Settings = lazy(() => import("./pages/settings").then((page) => page.Settings));
const TimelinePage = lazy(() => import("./pages/timeline").then((page) => page.TimelinePage));
const SetUp = lazy(() => import("./pages/login").then((page) => page.SetUp));

/** Home, and an incident in its place. The list stays as it is beneath, so that whoever closes the incident is back where they were. */
function Front() {
  const opened = open.value !== null;
  useLayoutEffect(() => {
    if (!opened) return undefined;
    scrollTo(0, 0);
    return () => {
      const { scrolled, focus } = left;
      // Once the list is shown again.
      requestAnimationFrame(() => {
        scrollTo(0, scrolled);
        focus?.focus({ preventScroll: true });
      });
    };
  }, [opened]);
  return (
    <>
      <div hidden={opened}>
        <Home />
      </div>
      {opened && <IncidentPage />}
    </>
  );
}

function Page() {
  const [name, site, camera] = route.value.split("/");
  if (name === "areas" && site && camera) return <AreasPage site={site} camera={camera} key={route.value} />;
  if (name === "timeline" && site && camera) return <TimelinePage site={site} camera={camera} key={route.value} />;
  if (name === "accounts") return <Accounts />;
  if (name === "record") return <RecordPage />;
  if (name === "settings") return <Settings />;
  return <Front />;
}

function Content() {
  if (!session.value) return <Home />;
  if (session.value.state === "login") return <LogIn />;
  if (session.value.state === "setup") return <SetUp />;
  return <Page />;
}

export function App() {
  // Home says by itself that the box cannot be reached.
  const said = route.value === "" || large.value !== null;
  return (
    <div class="page">
      <div class="frame">
        <a
          class="skip"
          href="#content"
          onClick={(event) => {
            event.preventDefault();
            document.getElementById("content")?.focus();
          }}
        >
          {words.value.skip}
        </a>
        <Top />
        <Places />
        <main id="content" tabIndex={-1}>
          <Banner said={said} />
          <Content />
        </main>
        <div class="unseen" aria-live="polite" role="status">
          {spoken.value}
        </div>
      </div>
    </div>
  );
}
