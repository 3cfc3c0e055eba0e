// Loads pictures one after the other, few at a time: over a slow link the first one is there soon, instead of all of them late.

/** Loads that may be on their way at once. A browser opens six connections to one server, and the page needs some for news. */
const AT_ONCE = 3;
/** A load that took longer than this came over a slow link, in milliseconds. */
const QUICK = 250;

interface Waiting {
  /** Where it stands on the page: the upper one goes first. */
  top: () => number;
  load: () => Promise<void>;
}

/** Begins with few loads, and has more at once as soon as one was quick. */
export class Queue {
  private waiting: Waiting[] = [];
  private running = 0;
  private quick = false;

  /** `least`: loads at once whatever the link. */
  constructor(
    private readonly clock: () => number = () => performance.now(),
    private readonly least = 1,
  ) {}

  /** Loads when it is its turn. The function that it returns takes it out again. */
  add(top: () => number, load: () => Promise<void>): () => void {
    const entry = { top, load };
    this.waiting.push(entry);
    // All that are added in one go are put in order first.
    queueMicrotask(() => this.next());
    return () => {
      this.waiting = this.waiting.filter((other) => other !== entry);
    };
  }

  private next(): void {
    while (this.running < (this.quick ? AT_ONCE : this.least) && this.waiting.length > 0) {
      const first = this.waiting.reduce((a, b) => (b.top() < a.top() ? b : a));
      this.waiting = this.waiting.filter((other) => other !== first);
      this.running += 1;
      const began = this.clock();
      const done = () => {
        this.running -= 1;
        this.quick = this.clock() - began <= QUICK;
        this.next();
      };
      first.load().then(done, done);
    }
  }
}

/** Of pictures of incidents. */
export const pictures = new Queue();
/** Of pictures of now. The hub waits for the camera before it answers, so that how long one takes says nothing of the link. */
export const stills = new Queue(undefined, AT_ONCE);
