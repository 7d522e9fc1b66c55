import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { contract, routesOf, scrapeMetrics, transferRoutes, transfers, type Endpoint } from '@lazuli/contract';
import { plainRoutes } from '../../packages/contract/src/openapi.ts';
import { code, page, table } from './markdown.ts';

const intro = `Every endpoint, from the contract (\`packages/contract/src\`). A caller needs any one of the actions; \`read\`, \`write\` and
the like are short for \`Microsoft.MachineLearningServices/workspaces/…\`. The first path is the one to use. All paths stand behind the static prefix
where there is one. A GET takes its fields from the query, or from a JSON body where there is no query; HEAD is served wherever GET is.
The fields of each message are in [openapi.json](openapi.json).`;

/** Each endpoint with its paths, what it needs, and the file of its handler. */
export function endpointsPage(root: string): string {
  const handlerOf = handlerFinder(root);
  const blocks = Object.entries(contract).flatMap(([noun, group]) => [
    `## ${noun}`,
    table(
      ['endpoint', 'summary', 'method and paths', 'actions', 'handler'],
      Object.entries<Endpoint>(group).map(([name, definition]) => [
        code(name),
        definition.summary,
        pathsOf(definition),
        actionsOf(definition.actions) + (definition.scope === 'server' ? ' on the server' : ''),
        code(handlerOf(noun, name)),
      ]),
    ),
  ]);
  const beside = [
    ...Object.entries(transfers).map(([name, transfer]) => ({
      name,
      ...transfer,
      paths: transferRoutes(transfer).map(({ path }) => path),
    })),
    ...plainRoutes.map(({ route, operation }) => ({
      name: operation.operationId,
      summary: operation.summary,
      method: route.method,
      paths: [route.path],
      actions: actionsOfPlain[operation.operationId] ?? [],
    })),
    { name: 'welcomePage', summary: 'A page with lines to paste.', method: 'GET', paths: ['/'], actions: [] },
  ];
  return page(
    'Endpoints',
    intro,
    ...blocks,
    '## Bytes, probes and the page',
    table(
      ['route', 'summary', 'method and paths', 'actions', 'handler'],
      beside.map(({ name, summary, method, paths, actions }) => [
        code(name),
        summary,
        [method, ...paths.map(code)].join('<br>'),
        actionsOf(actions),
        code(besideHandlers[name] ?? 'packages/server/src/http/app.ts'),
      ]),
    ),
  );
}

/** Handlers of routes that no group of the contract has. */
const besideHandlers: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    Object.keys(transfers).map((name) => [name, 'packages/server/src/artifacts/artifact-transfers.ts']),
  ),
  welcomePage: 'packages/server/src/http/welcome-page.ts',
  ...Object.fromEntries(
    ['getHealth', 'getLive', 'getReady', 'getVersion', 'getMetrics'].map((name) => [
      name,
      'packages/server/src/http/probe-routes.ts',
    ]),
  ),
};

const actionsOfPlain: Readonly<Record<string, readonly string[]>> = {
  getMetrics: scrapeMetrics.actions,
};

/** Methods that share a path stand in one line. */
function pathsOf(definition: Endpoint): string {
  const methodsByPath = new Map<string, string[]>();
  for (const { method, path } of routesOf(definition)) {
    methodsByPath.set(path, [...(methodsByPath.get(path) ?? []), method]);
  }
  const lines: string[] = [];
  let shown = '';
  for (const [path, methods] of methodsByPath) {
    const names = methods.join(', ');
    if (names !== shown) lines.push(names);
    shown = names;
    lines.push(code(path));
  }
  return lines.join('<br>');
}

function actionsOf(actions: readonly string[]): string {
  return actions.length === 0 ? 'none' : actions.map(code).join(' or ');
}

/** Finds the file that implements an endpoint: the one that speaks of the type of its group and defines its name. Throws where there is none. */
function handlerFinder(root: string): (noun: string, name: string) => string {
  const files = globSync('packages/server/src/**/*.ts', { cwd: root })
    .filter((file) => !file.endsWith('.test.ts'))
    .sort()
    .map((file) => ({ file: file.replaceAll('\\', '/'), text: readFileSync(join(root, file), 'utf8') }));
  return (noun, name) => {
    const found = files.find(
      ({ text }) =>
        new RegExp(`typeof ${noun}\\b`).test(text) && new RegExp(`^ +(?:async )?${name}[(:]`, 'm').test(text),
    );
    if (found === undefined) throw new Error(`No file of the server has a handler ${name} for the group ${noun}.`);
    return found.file;
  };
}
