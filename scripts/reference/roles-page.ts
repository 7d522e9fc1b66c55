import { contract, routesOf, transferRoutes, transfers, type Endpoint, type Transfer } from '@lazuli/contract';
import { builtInRoles, fullAction, roleAllows } from '../../packages/server/src/access/roles.ts';
import { armRoutes, type ArmRoom } from '../../packages/server/src/azure/arm.ts';
import { code, page, table } from './markdown.ts';

/** What each built-in role may call: a test sends every one of these requests by every one of these roles. */
interface Operation {
  readonly route: string;
  readonly actions: readonly string[];
}

const intro = `Which of the built-in roles may do what, where they are held on what is addressed or on anything around it. \`✓\`: the role
allows it by itself. Any one of the actions of a row suffices; \`W\` is \`Microsoft.MachineLearningServices/workspaces\`. How roles are
made, given and taken away is in the [guide to roles](../guides/roles.md).`;

const armIntro = `Scopes are the ids in the paths. What is not in this table needs no role: lists of subscriptions, groups and workspaces hold what
the caller may read. Paths that begin with \`{scope}\` are served under every scope.`;

export function rolesPage(): string {
  const protocol = [
    ...Object.values(contract).flatMap((group) => Object.values<Endpoint>(group).map(operationOf)),
    ...Object.values(transfers).map((transfer: Transfer) => ({
      route: routeText(transferRoutes(transfer)[0]),
      actions: transfer.actions,
    })),
  ];
  // Routes are values: nothing of the room is used before one of them answers.
  const arm = armRoutes({} as ArmRoom).flatMap(({ method, template, isUnderScopes, access }) => {
    const path = `${isUnderScopes ? '{scope}' : ''}/${template.segments.join('/')}`;
    return typeof access === 'string' ? [] : [{ route: `${method} ${path}`, actions: access.anyOf }];
  });
  return page(
    'Roles',
    intro,
    '## Definitions',
    definitions(),
    '## MLflow',
    matrix(protocol),
    '## Azure Resource Manager',
    armIntro,
    matrix(arm),
  );
}

function operationOf(endpoint: Endpoint): Operation {
  return { route: routeText(routesOf(endpoint)[0]), actions: endpoint.actions };
}

function routeText(route: { readonly method: string; readonly path: string } | undefined): string {
  return `${route?.method} ${route?.path}`;
}

function matrix(operations: readonly Operation[]): string {
  const rows = operations.map(({ route, actions }) => [
    code(route),
    actions.map((action) => code(short(fullAction(action)))).join(' '),
    ...builtInRoles.map((role) => (actions.some((action) => roleAllows(role, action)) ? '✓' : '')),
  ]);
  return table(['operation', 'actions', ...builtInRoles.map(({ name }) => name)], rows);
}

function definitions(): string {
  const rows = builtInRoles.map(({ id, name, description, actions, notActions }) => [
    name,
    code(id),
    description,
    actions.map((action) => code(short(action))).join(' '),
    notActions.map((action) => code(short(action))).join(' '),
  ]);
  return table(['role', 'id', 'what for', 'actions', 'not actions'], rows);
}

function short(action: string): string {
  return action.replace('Microsoft.MachineLearningServices/workspaces', 'W');
}
