import { MlflowError } from '@lazuli/contract';

/**
 * What Azure Resource Manager does not finish at once. *It answers 201 or 202, and says how to find out: `Azure-AsyncOperation`
 * is the address of an operation with a `status`; `Location` is one that answers 202 until it is done; without either, the
 * resource itself has a `provisioningState`. `Retry-After` says when to ask again.* What was made or changed is read when all
 * is done.
 */
export interface ArmResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export interface Operation {
  readonly method: string;
  /** Of the resource. */
  readonly url: string;
  readonly first: ArmResponse;
  /** Asks an address; rejects where the answer is a failure. */
  readonly get: (url: string) => Promise<ArmResponse>;
}

/** *Azure's clients ask every two seconds where nothing else is said.* */
const usualPauseMs = 2_000;

export async function outcomeOf({ method, url, first, get }: Operation): Promise<unknown> {
  const operation = first.headers.get('azure-asyncoperation');
  const location = first.headers.get('location');
  if (operation !== null) {
    await ended(first, () => get(sameHost(operation, url)), stateOfOperation);
  } else if (location !== null && first.status === 202) {
    const last = await ended(first, () => get(sameHost(location, url)), stateOfAnswer);
    if (method === 'POST') return last.body;
  } else {
    // *A resource that has no such state is there as soon as it is answered with.*
    if (method === 'DELETE' || method === 'POST' || stateOfResource(first).toLowerCase() === 'succeeded')
      return first.body;
    return (await ended(first, () => get(url), stateOfResource)).body;
  }
  if (method === 'DELETE') return undefined;
  return method === 'POST' ? first.body : (await get(url)).body;
}

async function ended(
  first: ArmResponse,
  ask: () => Promise<ArmResponse>,
  stateOf: (response: ArmResponse) => string,
): Promise<ArmResponse> {
  for (let response = first; ;) {
    await pause(response);
    response = await ask();
    const state = stateOf(response).toLowerCase();
    if (state === 'succeeded') return response;
    if (state === 'failed' || state === 'canceled' || state === 'cancelled') throw failure(state, response);
  }
}

function stateOfOperation({ body }: ArmResponse): string {
  return textIn(body, 'status') ?? 'InProgress';
}

function stateOfAnswer({ status }: ArmResponse): string {
  return status === 202 ? 'InProgress' : 'Succeeded';
}

function stateOfResource({ body }: ArmResponse): string {
  return textIn(fieldIn(body, 'properties'), 'provisioningState') ?? 'Succeeded';
}

function failure(state: string, { body }: ArmResponse): MlflowError {
  const error = fieldIn(body, 'error');
  const message = textIn(error, 'message') ?? `The operation ended as ${state}.`;
  return new MlflowError('INVALID_STATE', message);
}

/** What proves who calls is for this host alone. */
function sameHost(address: string, url: string): string {
  const target = new URL(address, url);
  if (target.origin === new URL(url).origin) return target.href;
  throw new MlflowError(
    'PERMISSION_DENIED',
    `The operation is to be followed at ${target.origin}, which is another host.`,
  );
}

function pause({ headers }: ArmResponse): Promise<void> {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  const ms = Number.isFinite(seconds) ? Math.max(0, seconds) * 1_000 : usualPauseMs;
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function fieldIn(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function textIn(value: unknown, name: string): string | undefined {
  const field = fieldIn(value, name);
  return typeof field === 'string' ? field : undefined;
}
