// The first page: is everything all right, what the cameras see, what happened.
import { Happened } from "../parts/happened";
import { Stage } from "../parts/stage";
import { StateBar } from "../parts/state";

export function Home() {
  return (
    <>
      <StateBar />
      <div class="home">
        <Stage />
        <Happened />
      </div>
    </>
  );
}
