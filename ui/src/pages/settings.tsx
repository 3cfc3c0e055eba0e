// What is set once and seldom touched: the cameras with their order and areas, this browser, accounts.
import { hub } from "../api";
import { move } from "../order";
import { Icon } from "../parts/icons";
import { CameraSwitch } from "../parts/switch";
import { begin, cameras, complain, keyOf, mayChange, session } from "../state";
import { chooseTheme, theme, THEMES, type Theme } from "../theme";
import { words } from "../words";

function Cameras() {
  const w = words.value;
  const all = cameras.value;
  if (all.length === 0) return <p class="hint">{w.noCameras}</p>;
  return (
    <>
      {all.length > 1 && <p class="hint">{w.camerasHint}</p>}
      <ul class="switches wide">
        {all.map((camera, at) => {
          const key = keyOf(camera);
          return (
            <li key={key}>
              <CameraSwitch camera={camera} />
              <span class="actions">
                {all.length > 1 && (
                  <>
                    <button type="button" class="bare" aria-label={w.moveUp(camera.name)} disabled={at === 0} onClick={() => move(all, key, -1)}>
                      <Icon name="up" />
                    </button>
                    <button
                      type="button"
                      class="bare"
                      aria-label={w.moveDown(camera.name)}
                      disabled={at === all.length - 1}
                      onClick={() => move(all, key, 1)}
                    >
                      <Icon name="down" />
                    </button>
                  </>
                )}
                {mayChange.value && (
                  <a class="button bare" href={`#/areas/${key}`} aria-label={`${w.drawAreas}: ${camera.name}`}>
                    {w.drawAreas}
                  </a>
                )}
              </span>
            </li>
          );
        })}
      </ul>
    </>
  );
}

function Colours() {
  const w = words.value;
  return (
    <label>
      {w.colours}
      <select value={theme.value} onChange={(event) => chooseTheme(event.currentTarget.value as Theme)}>
        {THEMES.map((one) => (
          <option value={one} key={one}>
            {w[`colours_${one}`]}
          </option>
        ))}
      </select>
    </label>
  );
}

export function Settings() {
  const w = words.value;
  const leave = () => hub.logOut().then(begin).catch(complain);
  return (
    <div class="text stack">
      <h1>{w.settings}</h1>
      <section class="card stack" aria-labelledby="set-cameras">
        <h2 id="set-cameras">{w.cameras}</h2>
        <Cameras />
        {!mayChange.value && <p class="hint">{w.viewerOnly}</p>}
      </section>
      <section class="card stack" aria-labelledby="set-browser">
        <h2 id="set-browser">{w.thisBrowser}</h2>
        <Colours />
      </section>
      <section class="card stack" aria-labelledby="set-accounts">
        <h2 id="set-accounts">{w.accounts}</h2>
        <div class="actions">
          <a class="button" href="#/accounts">
            {w.accountsLink}
          </a>
          {session.value?.account?.name !== "local" && (
            <button type="button" onClick={() => void leave()}>
              {w.logOut}
            </button>
          )}
        </div>
      </section>
      {session.value && <p class="hint">{w.versionIs(session.value.version)}</p>}
    </div>
  );
}
