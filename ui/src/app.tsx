// The frame of every page: who is where, and which page is shown.
import { Accounts } from "./pages/accounts";
import { AreasPage } from "./pages/areas";
import { Home } from "./pages/home";
import { LogIn, SetUp } from "./pages/login";
import { RecordPage } from "./pages/record";
import { Banner, Top } from "./parts/top";
import { route } from "./route";
import { session, spoken } from "./state";
import { words } from "./words";

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
