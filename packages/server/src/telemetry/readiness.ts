/**
 * Whether the server can serve, for a balancer that asks every second, or for many that do. The database is asked with a
 * limit of time, by one question at a time whose answer is kept for a moment: however often readiness is asked for, that
 * is no load. A server that is about to stop is not ready, so that it gets no more requests while it ends what it has.
 */
export interface Readiness {
  /** Why the server cannot serve, in one sentence for strangers; undefined when it can. */
  readonly hindrance: () => Promise<string | undefined>;
  /** From now on the server is stopping. */
  readonly stop: () => void;
}

export interface ReadinessOptions {
  /** Resolves when the database answers. */
  readonly probe: () => Promise<unknown>;
  /** Called with the reason when the server ceases to be ready, and with nothing when it is ready again. */
  readonly onChange: (cause?: unknown) => void;
  readonly limitMs?: number;
  readonly keptMs?: number;
}

const stopping = 'The server is stopping.';
const silentDatabase = 'The database does not answer.';

export function createReadiness(options: ReadinessOptions): Readiness {
  const { probe, onChange, limitMs = 2_000, keptMs = 250 } = options;
  let isStopping = false;
  let asked: Promise<string | undefined> | undefined;
  let answered: { readonly hindrance: string | undefined; readonly until: number } = {
    hindrance: undefined,
    until: -Infinity,
  };
  /** A question that had no answer within the limit. Until it has one, another would only wait behind it. */
  let overdue: Promise<void> | undefined;

  function note(hindrance: string | undefined, cause?: unknown): string | undefined {
    if (hindrance !== answered.hindrance) onChange(cause);
    answered = { hindrance, until: performance.now() + keptMs };
    return hindrance;
  }

  function hasStopped(): boolean {
    return isStopping;
  }

  async function ask(): Promise<string | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const answer = Promise.resolve().then(probe);
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        const settled = (): void => void (overdue = undefined);
        overdue = answer.then(settled, settled);
        reject(new Error(`The database did not answer within ${limitMs} ms.`));
      }, limitMs).unref();
    });
    try {
      await Promise.race([answer, late]);
      return note(undefined);
    } catch (error) {
      return note(silentDatabase, error);
    } finally {
      clearTimeout(timer);
      asked = undefined;
    }
  }

  return {
    async hindrance() {
      // Asked before and after: a stop may begin while the database thinks.
      if (hasStopped()) return stopping;
      if (overdue !== undefined) return silentDatabase;
      if (asked === undefined && performance.now() < answered.until) return answered.hindrance;
      const found = await (asked ??= ask());
      return hasStopped() ? stopping : found;
    },
    stop() {
      isStopping = true;
    },
  };
}
