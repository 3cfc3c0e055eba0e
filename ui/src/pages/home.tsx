// The first page: is everything all right, what happened, what the cameras see.
import { Cameras } from "../parts/cameras";
import { ToneIcon } from "../parts/icons";
import { Incidents } from "../parts/incidents";
import { boxProblems, houseSentence } from "../sentences";
import { house } from "../state";
import { words } from "../words";

export function Home() {
  const w = words.value;
  const now = house.value;
  if (!now) return <p class="wait">{w.loading}</p>;
  const { tone, text } = houseSentence(now, w);
  return (
    <>
      <section class={`state ${tone}`}>
        <ToneIcon tone={tone} />
        <div>
          <h1>{text}</h1>
          {boxProblems(now, w).map((problem) => (
            <p key={problem}>{problem}</p>
          ))}
        </div>
      </section>
      <Incidents house={now} />
      <Cameras house={now} />
    </>
  );
}
