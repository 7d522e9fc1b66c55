import type { Endpoint, EndpointGroup, InputOf, OutputOf } from '@lazuli/contract';

/** A workspace as a request addresses it. */
export interface WorkspaceRef {
  readonly workspaceId: number;
  readonly guid: string;
  readonly name: string;
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  readonly region: string;
  readonly defaultArtifactRoot: string | null;
  /** Whether Azure's clients reach it under a host name of its own, and under no other. */
  readonly privateLink: boolean;
}

/** Whether whoever asks may know that a workspace is there. */
export type MaySee = (workspace: WorkspaceRef) => boolean;

/** What a role assignment gives: the role's rights in one workspace, or in all of them. */
export interface Grant {
  readonly role: string;
  readonly workspaceId: number | 'all';
}

export type PrincipalKind = 'User' | 'ServicePrincipal' | 'ApiToken' | 'Job' | 'Anonymous';

export interface Principal {
  /** What role assignments name: a GUID. */
  readonly objectId: string;
  /** How logs and records name who called: `anonymous`, the principal that an API token is bound to, a user's name. */
  readonly name: string;
  readonly kind: PrincipalKind;
  /** The object ids of the groups that it is in. */
  readonly groups: readonly string[];
  /** Roles that are bound to the credential itself, beside those that are assigned to the object or to its groups. */
  readonly grants: readonly Grant[];
}

/** Who is calling, and in which workspace. Every request has one before a handler sees it. */
export interface Caller {
  readonly principal: Principal;
  readonly workspace: WorkspaceRef;
}

/** An answer that is JSON already: what a reader thread hands over instead of objects. */
export class JsonBody {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** What answers an endpoint: a function from a permitted, typed call to its answer. */
export type Handler<E extends Endpoint> = (input: InputOf<E>, caller: Caller) => Promise<OutputOf<E> | JsonBody>;

/** A handler of a hot endpoint, which reads the body's text itself, to validate while it packs. */
export interface TextHandler<E extends Endpoint> {
  readonly fromText: (text: string, caller: Caller) => Promise<OutputOf<E> | JsonBody>;
}

/** What a room implements for a group of endpoints; those named in `FromText` read their body's text. */
export type Handlers<Group extends EndpointGroup, FromText extends keyof Group = never> = {
  readonly [Name in keyof Group]: Name extends FromText ? TextHandler<Group[Name]> : Handler<Group[Name]>;
};
