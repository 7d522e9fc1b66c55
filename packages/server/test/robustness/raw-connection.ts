import { connect, type Socket } from 'node:net';

/**
 * A connection on which a test writes what it likes, byte by byte if need be, and reads what comes back. No client library
 * stands in between, because those repair, refuse or hide just what is to be tested.
 */
export interface RawConnection extends Disposable {
  readonly socket: Socket;
  readonly localPort: number;
  write(text: string | Uint8Array): void;
  /** The next whole answer. Rejects where the connection closes before it, or after `limitMs`. */
  answer(limitMs?: number): Promise<RawAnswer>;
  /** Resolves with everything that was not taken as an answer, once the server has closed the connection. */
  closed(limitMs?: number): Promise<string>;
}

export interface RawAnswer {
  readonly status: number;
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  readonly head: string;
  readonly body: string;
}

export async function openRaw(port: number, host = '127.0.0.1'): Promise<RawConnection> {
  const socket = connect({ port, host, noDelay: true, allowHalfOpen: true });
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  const chunks: Buffer[] = [];
  let size = 0;
  /** With fewer bytes than this there is no whole answer. */
  let needed = 0;
  let isClosed = false;
  let wake: () => void = () => undefined;
  const changed = (): void => wake();
  socket.on('data', (chunk) => {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= needed) changed();
  });
  // A reset is an end like any other here.
  socket.on('error', () => undefined);
  for (const event of ['end', 'close']) {
    socket.on(event, () => {
      isClosed = true;
      changed();
    });
  }

  function received(): Buffer {
    if (chunks.length > 1) chunks.splice(0, chunks.length, Buffer.concat(chunks));
    return chunks[0] ?? Buffer.alloc(0);
  }

  function takeAnswer(): RawAnswer | undefined {
    const bytes = received();
    const found = answerIn(bytes);
    if (found === undefined) return undefined;
    needed = found.end;
    if (size < needed) return undefined;
    chunks.splice(0, 1, bytes.subarray(found.end));
    size -= found.end;
    needed = 0;
    return { ...found.head, body: bytes.toString('utf8', found.start, found.end) };
  }

  async function until<T>(look: () => T | undefined, what: string, limitMs: number): Promise<T> {
    const limit = performance.now() + limitMs;
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      const left = limit - performance.now();
      if (left <= 0)
        throw new Error(
          `No ${what} within ${limitMs} ms; received so far: ${received().toString('latin1').slice(0, 500)}`,
        );
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  return {
    socket,
    localPort: socket.localPort ?? 0,
    write: (text) => void socket.write(text),
    answer: (limitMs = 2_000) =>
      until(
        () => {
          const whole = takeAnswer();
          if (whole !== undefined || !isClosed) return whole;
          const rest = JSON.stringify(received().toString('latin1').slice(0, 500));
          throw new Error(`The server closed the connection; left over: ${rest}`);
        },
        'answer',
        limitMs,
      ),
    closed: (limitMs = 2_000) =>
      until(() => (isClosed ? received().toString('latin1') : undefined), 'end of the connection', limitMs),
    [Symbol.dispose]() {
      socket.destroy();
    },
  };
}

/** Opens a connection for one request and gives its answer. */
export async function ask(port: number, text: string | Uint8Array, limitMs?: number): Promise<RawAnswer> {
  using connection = await openRaw(port);
  connection.write(text);
  return await connection.answer(limitMs);
}

/** A request with a JSON body, with its framing right unless `headers` say otherwise. */
export function request(
  method: string,
  path: string,
  body?: string,
  headers: Readonly<Record<string, string>> = {},
): string {
  const framing =
    body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(body)) };
  const lines = Object.entries({ Host: '127.0.0.1', ...framing, ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  return [`${method} ${path} HTTP/1.1`, ...lines, '', body ?? ''].join('\r\n');
}

/** The head of the first answer in these bytes, and from where to where its body goes. */
function answerIn(bytes: Buffer): { head: Omit<RawAnswer, 'body'>; start: number; end: number } | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const head = bytes.toString('latin1', 0, headEnd);
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const status = Number(statusLine.split(' ')[1]);
  const start = headEnd + 4;
  const length = [100, 204, 304].includes(status) ? 0 : Number(headers['content-length'] ?? 0);
  return { head: { status, headers, head }, start, end: start + length };
}
