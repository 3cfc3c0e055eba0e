// The frame of every page: who is where, and which page is shown.
import { Home } from "./pages/home";
import { lazy } from "./parts/lazy";
import { Banner, Top } from "./parts/top";
import { route } from "./route";
import { session, spoken } from "./state";
import { words } from "./words";

const Accounts = lazy(() => import("./pages/accounts").then((page) => page.Accounts));
const AreasPage = lazy(() => import("./pages/areas").then((page) => page.AreasPage));
const LogIn = lazy(() => import("./pages/login").then((page) => page.LogIn));
const RecordPage = lazy(() => import("./pages/record").then((page) => page.RecordPage));
const SetUp = lazy(() => import("./pages/login").then((page) => page.SetUp));

function Page() {
  if (!session.value) return <p class="wait">{words.value.loading}</p>;
  if (session.value.state === "login") return <LogIn />;
  if (session.value.state === "setup") return <SetUp />;
  const [name, site, camera] = route.value.split("/");
  if (name === "areas" && site && camera) return <AreasPage site={site} camera={camera} key={route.value} />;
  if (name === "accounts") return <Accounts />;
  if (name === "record") return <RecordPage />;
  return <Home />;
}

export function App() {
  return (
    <>
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
      <Banner />
      <main id="content" tabIndex={-1}>
        <Page />
      </main>
      <div class="unseen" aria-live="polite" role="status">
        {spoken.value}
      </div>
    </>
  );
}
