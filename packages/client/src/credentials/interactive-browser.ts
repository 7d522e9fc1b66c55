import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { requestToken, type Authority, type TokenAnswer } from './authority.ts';
import { rejected, SignInError, unavailable, untilAborted } from './credential.ts';
import type { Environment, SignInContext } from './sign-in-context.ts';
import { userScope } from './user-session.ts';

/**
 * Signs a person in with the browser of this machine: authorization code with PKCE, which comes back to a server on
 * loopback that lives as long as the sign-in. It takes the code as a form, as Entra sends it, and in the address, as other
 * issuers do. A browser that cannot be opened is told at once, one that does nothing after two minutes.
 */
export interface BrowserFlow {
  readonly authority: Authority;
  readonly clientId: string;
  /** Entra's extras: a form in place of an address with the code in it, and the choice of an account. */
  readonly dialect: 'Entra' | 'plain';
  /** Milliseconds; default: 120,000. */
  readonly limit?: number | undefined;
  /** Default: `BROWSER`, else what the system opens addresses with. */
  readonly open?: ((url: string) => Promise<void>) | undefined;
}

const usualLimit = 120_000;

export function signInByBrowser(flow: BrowserFlow, context: SignInContext) {
  const { authority, clientId, dialect, limit = usualLimit, open = openerOf(context.environment) } = flow;
  return async (scope: string, signal: AbortSignal): Promise<TokenAnswer> => {
    const { authorize } = await authority.endpoints(signal);
    if (authorize === undefined) throw rejected(`${authority.name} has no sign-in page.`);
    const [state, verifier] = [randomText(), randomText()];
    const waiter = await waitForCode(state);
    const redirectUri = `http://localhost:${waiter.port}`;
    const url = new URL(authorize);
    const query = {
      client_id: clientId,
      response_type: 'code',
      redirect_uri: redirectUri,
      scope: userScope(scope),
      state,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      // *OpenID Connect: without consent other issuers give no refresh token.*
      ...(dialect === 'Entra' ? { response_mode: 'form_post', prompt: 'select_account' } : { prompt: 'consent' }),
    };
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);

    context.log.info(`waiting for the browser at ${url.origin}${url.pathname}, answer to ${redirectUri}`);
    const late = AbortSignal.timeout(limit);
    const ended = AbortSignal.any([signal, late]);
    // The browser may run as long as it likes; only that it failed ends the wait.
    const failed = open(url.href).then(() => new Promise<never>(() => undefined));
    const code = await untilAborted(Promise.race([waiter.code, failed]), ended)
      .catch((error: unknown) => {
        signal.throwIfAborted();
        if (late.aborted)
          throw new SignInError('timed out', `Nobody signed in with the browser within ${limit / 1000} s.`);
        throw error;
      })
      .finally(waiter.close);
    context.log.hide(code);
    const fields = {
      grant_type: 'authorization_code',
      client_id: clientId,
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier,
      scope: userScope(scope),
    };
    return await requestToken(authority, fields, context, signal);
  };
}

function randomText(): string {
  return randomBytes(32).toString('base64url');
}

interface CodeWaiter {
  readonly port: number;
  readonly code: Promise<string>;
  readonly close: () => void;
}

async function waitForCode(state: string): Promise<CodeWaiter> {
  const { promise: code, resolve, reject } = deferred<string>();
  const server = createServer((request, response) => {
    void receive(request, response).catch(() => response.destroy());
  });

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    if (pathname !== '/') {
      answer(response, 404, 'There is nothing here.');
      return;
    }
    const fields = request.method === 'POST' ? new URLSearchParams(await bodyOf(request)) : searchParams;
    // What does not know the state is not the answer to this sign-in, and must not end it.
    if (fields.get('state') !== state) {
      answer(response, 400, 'This is not the answer to a sign-in that was started here.');
      return;
    }
    const received = fields.get('code');
    if (received !== null) {
      answer(response, 200, 'You are signed in. This page can be closed.');
      resolve(received);
      return;
    }
    const reason = fields.get('error_description') ?? fields.get('error') ?? 'no code came back';
    answer(response, 200, 'The sign-in failed. The program that asked for it says why.');
    reject(rejected(`The sign-in in the browser failed: ${reason.split(/\r?\n/)[0] ?? ''}`));
  }

  await new Promise<void>((done, failed) => {
    server.once('error', failed);
    server.listen(0, '127.0.0.1', done);
  });
  return {
    port: (server.address() as AddressInfo).port,
    code,
    close: () => close(server),
  };
}

function deferred<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // It may fail while nobody waits for it any more.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('latin1')) {
    text += String(chunk);
    if (text.length > 100_000) throw new Error('A sign-in is shorter.');
  }
  return text;
}

function answer(response: ServerResponse, status: number, words: string): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'",
    connection: 'close',
  });
  response.end(`<!doctype html><html lang="en"><title>Lazuli</title><p>${words}</p></html>`);
}

function close(server: Server): void {
  server.close();
  // The answer gets its second to arrive; a browser's spare connections would keep the process.
  setTimeout(() => server.closeAllConnections(), 1000).unref();
}

/** The command that opens an address, `undefined` where there is none. */
export function browserCommand(environment: Environment): readonly string[] | undefined {
  if (environment['BROWSER']) return [environment['BROWSER']];
  if (process.platform === 'darwin') return ['open'];
  if (process.platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler'];
  return environment['DISPLAY'] || environment['WAYLAND_DISPLAY'] ? ['xdg-open'] : undefined;
}

function openerOf(environment: Environment) {
  return async (url: string): Promise<void> => {
    const [program, ...words] = browserCommand(environment) ?? [];
    if (program === undefined)
      throw unavailable('This machine has no browser: neither a desktop nor BROWSER is there.');
    await new Promise<void>((resolve, reject) => {
      const child = spawn(program, [...words, url], { env: environment, stdio: 'ignore', detached: true });
      child.unref();
      child.once('error', (cause) =>
        reject(unavailable(`The browser '${program}' cannot be started: ${cause.message}`, cause)),
      );
      child.once('exit', (code) => {
        if (code === 0 || code === null) resolve();
        else reject(unavailable(`The browser '${program}' ended with ${code}.`));
      });
    });
  };
}
