import type { TransferProgress } from '../artifacts/artifact-store.ts';
import type { WatchTransfer } from '../artifacts/watched-transfer.ts';

/**
 * The line on a terminal that tells how transfers go on: one line for all that go on at once, on stderr, and only for
 * those that take a while.
 */
export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Milliseconds before the line appears, and between two looks of it. */
const patience = 1_000;
const pace = 100;
const barWidth = 20;

interface Shown {
  readonly verb: string;
  readonly files: number;
  readonly since: number;
  /** Of each file that has begun. */
  readonly progress: Map<string, TransferProgress>;
}

export function transferLine(terminal: Terminal, now = (): number => performance.now()): WatchTransfer {
  const open = new Set<Shown>();
  let drawnAt = -Infinity;
  let isDrawn = false;

  function draw(): void {
    isDrawn = true;
    drawnAt = now();
    const text = [...open].map(lineOf).join('; ');
    terminal.write(`\r\u001b[K${text.slice(0, Math.max(20, (terminal.columns ?? 80) - 1))}`);
  }

  return (verb, files) => {
    if (terminal.isTTY !== true) return undefined;
    const shown: Shown = { verb, files, since: now(), progress: new Map() };
    open.add(shown);
    return {
      onProgress(progress) {
        shown.progress.set(progress.path, progress);
        if (now() - shown.since >= patience && now() - drawnAt >= pace) draw();
      },
      end() {
        open.delete(shown);
        if (!isDrawn) return;
        if (open.size > 0) draw();
        else {
          terminal.write('\r\u001b[K');
          isDrawn = false;
        }
      },
    };
  };
}

/** `Uploading 3 of 10 files, 45.2 of 120.0 MB [#######             ]`, as far as sizes are known. */
function lineOf({ verb, files, progress }: Shown): string {
  let bytes = 0;
  let total = 0;
  let whole = 0;
  for (const one of progress.values()) {
    bytes += one.bytes;
    total += one.total ?? one.bytes;
    if (one.bytes === one.total) whole += 1;
  }
  const share = files === 1 ? bytes / Math.max(1, total) : whole / files;
  const filled = Math.floor(Math.min(1, share) * barWidth);
  const bar = `[${'#'.repeat(filled)}${' '.repeat(barWidth - filled)}]`;
  const size = `${megabytes(bytes)} of ${megabytes(total)} MB`;
  return files === 1 ? `${verb} ${size} ${bar}` : `${verb} ${whole} of ${files} files, ${megabytes(bytes)} MB ${bar}`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
