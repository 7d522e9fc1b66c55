import { createHmac, timingSafeEqual } from 'node:crypto';
import { MlflowError } from '@lazuli/contract';
import type { Engine } from '../database/engine.ts';
import { readActingFor, type Revival } from './acting-for.ts';
import type { Authenticator } from './authenticate.ts';
import type { Principal } from './caller.ts';
import { findJob } from './job-store.ts';

/**
 * Tokens of jobs: JSON Web Tokens, because *Azure's plugin reads when its token expires*, with nothing in them but the job's
 * id. Whom the job acts for, and that it has not ended, is looked up.
 */
export interface JobTokens {
  issue(jobId: string): { readonly token: string; readonly expirySeconds: number };
  /** What the header's token stands for; undefined where it is none of a job. */
  authenticate(authorization: string | undefined): Principal | Promise<Principal> | undefined;
  /** After a job has ended, here or elsewhere. */
  forget(): void;
}

const rememberedForMs = 5_000;
const rememberedTokens = 10_000;

const header = encode({ alg: 'HS256', typ: 'JWT', kid: 'lazuli-job' });
const start = `bearer ${header.toLowerCase()}.`;

export interface JobTokenOptions {
  readonly engine: Pick<Engine, 'snapshot'>;
  readonly now: () => number;
  readonly key: string;
  readonly revival: Revival;
  readonly lifeSeconds: number;
}

export function createJobTokens({ engine, now, key, revival, lifeSeconds }: JobTokenOptions): JobTokens {
  const remembered = new Map<string, { readonly principal: Principal; readonly until: number }>();
  let changes = 0;
  const macOf = (signed: string): Buffer => createHmac('sha256', key).update(signed).digest();

  function verified(token: string): { readonly jobId: string; readonly expiryMs: number } {
    const [first = '', payload = '', mac = ''] = token.split('.');
    const [given, right] = [Buffer.from(mac, 'base64url'), macOf(`${first}.${payload}`)];
    if (first !== header || given.length !== right.length || !timingSafeEqual(given, right)) {
      throw unauthenticated('The job token was not made by this server, or was changed.');
    }
    const { sub, exp } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { sub: string; exp: number };
    if (exp * 1000 <= now()) throw unauthenticated('The job token has expired.');
    return { jobId: sub, expiryMs: exp * 1000 };
  }

  async function lookUp(token: string): Promise<Principal> {
    const before = changes;
    const { jobId, expiryMs } = verified(token);
    const job = await engine.snapshot((db) => findJob(db, jobId));
    if (job === undefined || job.end_time !== null) throw unauthenticated('The job of this token has ended.');
    const principal = await revival.revive(readActingFor(job.acting_for));
    if (before === changes) {
      if (remembered.size >= rememberedTokens) remembered.clear();
      remembered.set(token, { principal, until: Math.min(now() + rememberedForMs, expiryMs) });
    }
    return principal;
  }

  return {
    issue(jobId) {
      const iat = Math.floor(now() / 1000);
      const exp = iat + lifeSeconds;
      const signed = `${header}.${encode({ iss: 'lazuli', sub: jobId, iat, exp })}`;
      return { token: `${signed}.${macOf(signed).toString('base64url')}`, expirySeconds: exp };
    },
    authenticate(authorization) {
      if (authorization?.slice(0, start.length).toLowerCase() !== start) return undefined;
      const token = authorization.slice('bearer '.length);
      const known = remembered.get(token);
      return known !== undefined && known.until > now() ? known.principal : lookUp(token);
    },
    forget() {
      changes += 1;
      remembered.clear();
    },
  };
}

/** An authenticator that knows the tokens of jobs as well. */
export function withJobTokens(authenticator: Authenticator, jobs: JobTokens): Authenticator {
  return {
    authenticate: (authorization) => jobs.authenticate(authorization) ?? authenticator.authenticate(authorization),
    forgetToken(tokenId) {
      jobs.forget();
      authenticator.forgetToken(tokenId);
    },
    forgetAllTokens() {
      jobs.forget();
      authenticator.forgetAllTokens();
    },
  };
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function unauthenticated(message: string): MlflowError {
  return new MlflowError('UNAUTHENTICATED', message);
}
