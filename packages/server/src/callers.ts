import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { createRevival, type Revival } from './access/acting-for.ts';
import { anonymous, createAuthenticator, everything, type Authenticator } from './access/authenticate.ts';
import { createDecider, type Decider } from './access/decide.ts';
import { createForeignIssuer } from './access/foreign-issuer.ts';
import { createJobTokens, withJobTokens, type JobTokens } from './access/job-tokens.ts';
import { createRoleDirectory, type RoleDirectory } from './access/role-directory.ts';
import { createTokenVerifier, type Issuer } from './access/verify-token.ts';
import type { Engine } from './database/engine.ts';
import { findIdentity, isInDirectory } from './identity/identities.ts';
import { openAuthority, type Authority } from './identity/open-authority.ts';
import type { SecretKeep } from './secrets/secret-keep.ts';
import type { Settings } from './settings/parse-settings.ts';

/** Who calls, and what they may do: the authority, the credentials that are taken, roles and decisions, put together. */
export interface Callers {
  readonly authority: Authority['endpoints'];
  readonly tenant: Authority['tenant'];
  readonly authenticator: Authenticator;
  readonly decider: Decider;
  readonly roles: RoleDirectory;
  readonly revival: Revival;
  readonly jobTokens: JobTokens;
  /** After a change of what is remembered of callers. */
  forget(): void;
}

export interface CallersOptions {
  readonly engine: Engine;
  readonly settings: Settings;
  readonly now: () => number;
  readonly logger: Logger;
  readonly secrets: SecretKeep;
  /** The origin of the authority, once the server listens. */
  readonly authorityUrl: () => string;
}

export async function openCallers(options: CallersOptions): Promise<Callers> {
  const { engine, settings, now, logger, secrets, authorityUrl } = options;
  /** A failure to fetch an issuer's keys is worth a warning: its users cannot sign in. */
  const onKeyFailure = (issuer: string, err: unknown): void =>
    logger.warn({ issuer, err }, "an issuer's keys cannot be fetched");
  const authority = await openAuthority({ ...settings, engine, now, url: authorityUrl, onKeyFailure });
  const { tenant } = authority;
  const revival = createRevival({
    engine,
    now,
    anonymous: () => (settings.auth === 'none' ? anonymous : undefined),
    ownGrants: settings.auth === 'none' ? everything : [],
    // Whom the directory does not know has come with a token of another issuer, which alone knows its groups.
    groupsOf: async ({ objectId, groups }) =>
      (await isInDirectory(engine, objectId))
        ? (await findIdentity(engine, objectId))?.groups
        : settings.oidcIssuers.length > 0
          ? groups
          : undefined,
  });
  const jobTokens = createJobTokens({
    engine,
    now,
    revival,
    key: await secrets.get('job-tokens', newKey),
    lifeSeconds: settings.jobTokenLife,
  });
  const signIn = createAuthenticator({
    mode: settings.auth,
    engine,
    now,
    verify: createTokenVerifier({
      issuers: [authority.issuer, ...foreignIssuers(settings, now, onKeyFailure)],
      audiences: authority.audiences,
      now,
    }),
    authorizationUri: () => (settings.auth === 'token' ? undefined : `${authorityUrl()}/${tenant.tenant_id}`),
    onRefusal: (reason, claimed) => logger.debug({ reason, claimed }, 'access token refused'),
  });
  const authenticator = withJobTokens(signIn, jobTokens);
  const roles = createRoleDirectory(engine);
  await roles.load();
  const decider = createDecider(roles);
  return {
    authority: authority.endpoints,
    tenant,
    authenticator,
    decider,
    roles,
    revival,
    jobTokens,
    forget() {
      authenticator.forgetAllTokens();
      roles.forget();
    },
  };
}

/** 256 random bits. */
export async function newKey(): Promise<string> {
  return randomBytes(32).toString('base64url');
}

function foreignIssuers(
  { oidcIssuers }: Settings,
  now: () => number,
  onKeyFailure: (issuer: string, error: unknown) => void,
): Issuer[] {
  return oidcIssuers.map((issuer) =>
    createForeignIssuer({
      issuer,
      now,
      fetch,
      onFailure: (error) => onKeyFailure(issuer, error),
    }),
  );
}
