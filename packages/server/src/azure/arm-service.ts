import type { Principal } from '../access/caller.ts';
import type { Decider } from '../access/decide.ts';
import { fullAction } from '../access/roles.ts';
import type { WorkspacePlace } from '../access/scope.ts';
import { ArmError, invalidContent } from './arm-error.ts';
import {
  idOf,
  matchTemplate,
  resourceOf,
  segmentsOf,
  splitAtProvider,
  workspacePlaceOf,
  type Segments,
} from './arm-path.ts';
import { checkApiVersion, type ArmAccess, type ArmAnswer, type ArmRoute } from './arm-route.ts';

/**
 * Azure Resource Manager as a function of requests, without a web framework: finds the route of a path, decides, answers.
 * A right is decided on before anything is looked up, so that a refusal says nothing about what is there.
 */
export interface ArmService {
  /** Throws where there is no such route, or where the api-version is missing. */
  find(method: string, path: string, query: URLSearchParams): FoundRoute;
  /** Throws where the principal has not the right that the route needs. */
  admit(found: FoundRoute, principal: Principal): Promise<void>;
  answer(found: FoundRoute, principal: Principal, body: string): Promise<ArmAnswer>;
}

export interface FoundRoute {
  readonly access: ArmAccess;
  readonly route: ArmRoute;
  readonly params: Readonly<Record<string, string>>;
  readonly scope: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

export interface ArmParts {
  readonly routes: readonly ArmRoute[];
  readonly decider: Pick<Decider, 'may'>;
  /** The server's public origin, with a path where it is served under one. */
  readonly origin: () => string;
  readonly findWorkspaceId: (place: WorkspacePlace) => Promise<number | undefined>;
}

const aliasRoot = ['mferp', 'managementfrontend'];

export function createArmService({ routes, decider, origin, findWorkspaceId }: ArmParts): ArmService {
  const here = routes.filter(({ isUnderScopes }) => !isUnderScopes);
  const underScopes = routes.filter(({ isUnderScopes }) => isUnderScopes);

  function candidates(segments: Segments): Omit<FoundRoute, 'access' | 'path' | 'query'>[] {
    const found = here.flatMap((route) => {
      const params = matchTemplate(route.template, segments);
      return params === undefined ? [] : [{ route, params, scope: resourceOf(segments) }];
    });
    const split = splitAtProvider(segments, 'Microsoft.Authorization');
    if (split === undefined) return found;
    const under = underScopes.flatMap((route) => {
      const params = matchTemplate(route.template, split.rest);
      return params === undefined ? [] : [{ route, params, scope: idOf(split.scope) }];
    });
    return [...found, ...under];
  }

  return {
    find(method, path, query) {
      const segments = withoutAlias(segmentsOf(path));
      const found = segments === undefined ? [] : candidates(segments);
      if (segments === undefined || found.length === 0) {
        throw new ArmError(404, 'InvalidResourceType', `This server has no resource at '${path.slice(0, 500)}'.`);
      }
      const wanted = found.find(({ route }) => route.method === (method === 'HEAD' ? 'GET' : method));
      if (wanted === undefined) {
        const methods = found.map(({ route }) => route.method).join(', ');
        throw new ArmError(405, 'MethodNotAllowed', `${method} is not possible here; ${methods} is.`);
      }
      // What is asked before anybody can sign in, beside the clouds' own document, has no version.
      if (!(wanted.route.access === 'anonymous' && segments[0]?.toLowerCase() !== 'metadata')) checkApiVersion(query);
      return { ...wanted, access: wanted.route.access, path: idOf(segments), query };
    },

    async admit({ access, scope }, principal) {
      if (typeof access === 'string') return;
      const place = workspacePlaceOf(scope);
      // Only who holds something on one workspace by its number needs the number.
      const isBound = principal.grants.some(({ workspaceId }) => workspaceId !== 'all');
      const workspaceId = isBound && place !== undefined ? await findWorkspaceId(place) : undefined;
      const target = { id: scope, workspaceId };
      if (access.anyOf.some((action) => decider.may(principal, action, target))) return;
      throw forbidden(principal, access.anyOf[0], scope);
    },

    async answer({ route, params, scope, path, query }, principal, body) {
      const search = query.size === 0 ? '' : `?${query.toString()}`;
      const url = `${origin()}${path.split('/').map(encodeURIComponent).join('/')}${search}`;
      return route.answer({ params, scope, query, url, principal, body: jsonOf(body) });
    },
  };
}

/** *Azure's sentence: scripts look for its parts.* */
export function forbidden({ name, objectId }: Principal, action: string, scope: string): ArmError {
  return new ArmError(
    403,
    'AuthorizationFailed',
    `The client '${name}' with object id '${objectId}' does not have authorization to perform action '${fullAction(action)}' over scope '${scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.`,
  );
}

function withoutAlias(segments: Segments | undefined): Segments | undefined {
  const isAlias = aliasRoot.every((word, index) => segments?.[index]?.toLowerCase() === word);
  return isAlias ? segments?.slice(aliasRoot.length) : segments;
}

function jsonOf(body: string): unknown {
  if (body.trim() === '') return undefined;
  try {
    return JSON.parse(body) as unknown;
  } catch {
    throw invalidContent('The request content was invalid and could not be deserialized: it is no JSON.');
  }
}
