// The first page: is everything all right, what happened, what the cameras see.
import { Cameras, placeOfCamera } from "../parts/cameras";
import { ToneIcon } from "../parts/icons";
import { Incidents } from "../parts/incidents";
import { houseSentence, type Fault } from "../sentences";
import { current, house } from "../state";
import { words } from "../words";

/** Leads to a camera further down. */
function show(camera: { site: string; id: string }): void {
  const place = document.getElementById(placeOfCamera(camera));
  place?.scrollIntoView({ block: "center" });
  place?.focus({ preventScroll: true });
}

function What({ fault }: { fault: Fault }) {
  const w = words.value;
  const { camera } = fault;
  return (
    <li>
      {fault.about && <strong>{fault.about}</strong>} {fault.why} {fault.said && <span lang="en">{fault.said}</span>}{" "}
      {camera && (
        <button type="button" class="plain" onClick={() => show(camera)}>
          {w.show(camera.name)}
        </button>
      )}
    </li>
  );
}

export function Home() {
  const w = words.value;
  const now = house.value;
  if (!now) return <p class="wait">{w.loading}</p>;
  const { tone, text, faults } = houseSentence(now, current.value, w);
  return (
    <>
      <section class={`state ${tone}`}>
        <ToneIcon tone={tone} />
        <h1>{text}</h1>
        {faults.length > 0 && (
          <ul>
            {faults.map((fault, at) => (
              <What fault={fault} key={at} />
            ))}
          </ul>
        )}
      </section>
      <Incidents house={now} />
      <Cameras house={now} />
    </>
  );
}
