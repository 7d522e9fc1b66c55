/** Lets one piece of work in at a time, in the order of arrival. A free mutex costs no turn of the event loop. */
export interface Mutex {
  run<T>(work: () => Promise<T>): Promise<T>;
}

export function createMutex(): Mutex {
  const waiting: (() => void)[] = [];
  let held = false;
  return {
    async run(work) {
      if (held) await new Promise<void>((resolve) => waiting.push(resolve));
      held = true;
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        // The mutex goes to the next in line without being free in between, so nobody can step in front.
        if (next === undefined) held = false;
        else next();
      }
    },
  };
}
