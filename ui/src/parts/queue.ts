// Loads pictures one after the other, few at a time: over a slow link the first one is there soon, instead of all of them late.

/** Loads that may be on their way at once. A browser opens six connections to one server, and the page needs some for news. */
const AT_ONCE = 3;

interface Waiting {
  /** Where it stands on the page: the upper one goes first. */
  top: () => number;
  load: () => Promise<void>;
}

export class Queue {
  private waiting: Waiting[] = [];
  private running = 0;

  constructor(private readonly atOnce = AT_ONCE) {}

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
    while (this.running < this.atOnce && this.waiting.length > 0) {
      const first = this.waiting.reduce((a, b) => (b.top() < a.top() ? b : a));
      this.waiting = this.waiting.filter((other) => other !== first);
      this.running += 1;
      void first.load().finally(() => {
        this.running -= 1;
        this.next();
      });
    }
  }
}

/** Of pictures of incidents. */
export const pictures = new Queue();
/** Of pictures of now: the hub may wait for the camera before it answers. */
export const stills = new Queue();
