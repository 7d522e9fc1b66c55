/**
 * One keep-alive HTTP/1.1 connection over a bare socket, one request in flight.
 *
 * The load generator shares its machine with the server that it measures, so every microsecond that a
 * general HTTP client spends is taken from the server. Requests arrive here as finished bytes; of an answer only the
 * status, the length (content-length or chunked) and the body are read. Answers that come in one read - nearly all of
 * them - are never copied: the body is a view of the read buffer and valid only until the callback returns.
 */
import { connect } from 'node:net';

export interface Address {
  readonly host: string;
  readonly port: number;
  /** Shown with each request, where the server asks for one. */
  readonly token?: string | undefined;
}

/** Connection i of those that are spread over several processes of a server: each takes its turn. */
export function addressOf(addresses: readonly Address[], i: number): Address {
  const address = addresses[i % addresses.length];
  if (address === undefined) throw new Error('there is no address to connect to');
  return address;
}

export interface ConnectionEvents {
  /** `body` is valid only during the call. */
  answered(status: number, body: Buffer): void;
  /** The connection is gone; a request in flight has no answer. */
  lost(reason: Error): void;
}

export interface HttpConnection {
  send(request: Buffer): void;
  close(): void;
}

const READ_BUFFER_BYTES = 64 * 1024;
const CONTENT_LENGTH = /\r\ncontent-length: *(\d+)/i;
const CHUNKED = /\r\ntransfer-encoding: *chunked/i;
const CLOSES = /\r\nconnection: *close/i;

interface Head {
  readonly status: number;
  readonly bodyStart: number;
  /** Undefined when the body is chunked. */
  readonly length: number | undefined;
  readonly closes: boolean;
}

export function openConnection(address: Address, events: ConnectionEvents): Promise<HttpConnection> {
  let partial: Buffer[] = [];
  let partialBytes = 0;
  /** Whether the parts may be whole by now: a long answer is not joined and scanned anew with each read. */
  let mayBeWhole = (): boolean => true;
  let closed = false;

  function read(bytes: Buffer): void {
    if (partialBytes === 0) {
      parse(bytes, 'borrowed');
      return;
    }
    partial.push(Buffer.from(bytes));
    partialBytes += bytes.length;
    if (mayBeWhole()) parse(Buffer.concat(partial, partialBytes), 'owned');
  }

  function parse(bytes: Buffer, memory: 'owned' | 'borrowed'): void {
    const head = readHead(bytes);
    if (head === undefined) {
      keep(bytes, memory, () => true);
    } else if (head.length === undefined) {
      const body = joinChunks(bytes, head.bodyStart);
      if (body === undefined) keep(bytes, memory, () => endsLikeChunks(partial));
      else finish(head, body);
    } else {
      const end = head.bodyStart + head.length;
      if (bytes.length < end) keep(bytes, memory, () => partialBytes >= end);
      else finish(head, bytes.subarray(head.bodyStart, end));
    }
  }

  function keep(bytes: Buffer, memory: 'owned' | 'borrowed', until: () => boolean): void {
    partial = [memory === 'owned' ? bytes : Buffer.from(bytes)];
    partialBytes = bytes.length;
    mayBeWhole = until;
  }

  function finish(head: Head, body: Buffer): void {
    partial = [];
    partialBytes = 0;
    events.answered(head.status, body);
    if (head.closes && !closed) lose(new Error('the server closed the connection after its answer'));
  }

  function lose(reason: Error): void {
    if (closed) return;
    closed = true;
    socket.destroy();
    events.lost(reason);
  }

  const socket = connect({
    host: address.host,
    port: address.port,
    noDelay: true,
    onread: {
      buffer: Buffer.allocUnsafeSlow(READ_BUFFER_BYTES),
      callback(count, buffer) {
        read(Buffer.from(buffer.buffer, buffer.byteOffset, count));
        return true;
      },
    },
  });

  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.removeListener('error', reject);
      socket.on('error', lose);
      socket.on('close', () => {
        lose(new Error('the server closed the connection'));
      });
      resolve({
        send(request) {
          socket.write(request);
        },
        close() {
          closed = true;
          socket.destroy();
        },
      });
    });
  });
}

function readHead(bytes: Buffer): Head | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const text = bytes.toString('latin1', 0, end);
  const length = CONTENT_LENGTH.exec(text)?.[1];
  const isChunked = length === undefined && CHUNKED.test(text);
  return {
    status: Number(text.slice(9, 12)),
    bodyStart: end + 4,
    length: isChunked ? undefined : Number(length ?? 0),
    closes: CLOSES.test(text),
  };
}

/** The joined body, or undefined while the last chunk is missing. */
function joinChunks(bytes: Buffer, start: number): Buffer | undefined {
  const parts: Buffer[] = [];
  let at = start;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (bytes.length < next) return undefined;
    if (size === 0) return Buffer.concat(parts);
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = next;
  }
}

const CHUNKS_END = '0\r\n\r\n';

/** Whether the last bytes read can be the end of a chunked body; the end may be spread over two reads. */
function endsLikeChunks(parts: readonly Buffer[]): boolean {
  const tail = parts.slice(-2).map((part) => part.toString('latin1', Math.max(0, part.length - CHUNKS_END.length)));
  return tail.join('').endsWith(CHUNKS_END);
}

/** The bytes of one request; a body makes it a JSON one. */
export function requestBytes(address: Address, method: string, path: string, body?: string): Buffer {
  const head = [`${method} ${path} HTTP/1.1`, `host: ${address.host}:${address.port}`, 'accept: */*'];
  if (address.token !== undefined) head.push(`authorization: Bearer ${address.token}`);
  if (body !== undefined) {
    head.push('content-type: application/json', `content-length: ${Buffer.byteLength(body)}`);
  }
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body ?? ''}`);
}
