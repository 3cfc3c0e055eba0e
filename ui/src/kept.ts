// What this browser keeps of its reader's choices. One that keeps nothing forgets them when the page is closed.

const name = (what: string) => `lares-${what}`;

/** What was kept as `what`; null where there is nothing. */
export function kept(what: string): string | null {
  try {
    return localStorage.getItem(name(what));
  } catch {
    return null;
  }
}

export function keep(what: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(name(what));
    else localStorage.setItem(name(what), value);
  } catch {
    // It holds until the page is closed.
  }
}
