import { cruise, type ICruiseResult } from 'dependency-cruiser';
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';

/**
 * The imports that the code really has, collapsed to packages and, in the server, to rooms. A file right under `src` is a
 * room, too, except for those that put the server together, which are one: the composition.
 */
const composition = ['server', 'offline', 'callers', 'open-engine', 'index', 'reader-thread', 'server-info', 'version'];

type Edges = Map<string, Set<string>>;

export async function importDrawing(root: string): Promise<string> {
  const modules = await importsOf(root);
  const packages: Edges = new Map();
  const rooms: Edges = new Map();
  for (const { source, dependencies } of modules) {
    if (isTest(source)) continue;
    for (const { resolved } of dependencies) {
      note(packages, packageOf(source), packageOf(resolved));
      note(rooms, roomOf(source), roomOf(resolved));
    }
  }
  return [
    '```mermaid',
    'flowchart TD',
    ...linesOf(packages),
    '  subgraph server [packages/server/src: every room may import contract]',
    ...linesOf(rooms).map((line) => `  ${line}`),
    '  end',
    '```',
  ].join('\n');
}

async function importsOf(root: string): Promise<ICruiseResult['modules']> {
  const { output } = await cruise(
    ['packages'],
    {
      baseDir: root,
      exclude: { path: '/dist/|/test/|^node_modules' },
      doNotFollow: { path: 'node_modules' },
      tsPreCompilationDeps: true,
    },
    { exportsFields: ['exports'], conditionNames: ['lazuli', 'import', 'node', 'default', 'types'] },
    { tsConfig: extractTSConfig(`${root}/tsconfig.json`) },
  );
  if (typeof output === 'string') throw new TypeError('The cruise was to give its findings as an object.');
  return output.modules;
}

function isTest(path: string): boolean {
  return path.endsWith('.test.ts');
}

function packageOf(path: string): string | undefined {
  return /^packages\/([^/]+)\//.exec(path)?.[1];
}

function roomOf(path: string): string | undefined {
  const room = /^packages\/server\/src\/([^/.]+)/.exec(path)?.[1];
  return room !== undefined && composition.includes(room) ? 'composition' : room;
}

function note(edges: Edges, from: string | undefined, to: string | undefined): void {
  if (from === undefined || to === undefined || from === to) return;
  edges.set(from, (edges.get(from) ?? new Set()).add(to));
}

/** One line for each node with imports; a node stands behind all that import it, so that it reads from top to bottom. */
function linesOf(edges: Edges): string[] {
  const depths = new Map<string, number>();
  const sink = (name: string, depth: number): void => {
    if ((depths.get(name) ?? -1) >= depth) return;
    depths.set(name, depth);
    for (const imported of edges.get(name) ?? []) sink(imported, depth + 1);
  };
  for (const name of edges.keys()) sink(name, 0);
  const sorted = (names: Iterable<string>): string[] =>
    [...names].sort((a, b) => (depths.get(a) ?? 0) - (depths.get(b) ?? 0) || (a < b ? -1 : 1));
  return sorted(edges.keys()).map((from) => `  ${from} --> ${sorted(edges.get(from) ?? []).join(' & ')}`);
}
