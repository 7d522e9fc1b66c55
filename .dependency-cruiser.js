/**
 * The import order of ARCHITECTURE.md as rules. A room of the server may import the rooms below it and those to its right;
 * type imports count, cycles are refused.
 */
const layers = [
  ['reader-thread', 'server', 'offline', 'callers', 'open-engine', 'index'],
  ['http'],
  ['azure'],
  ['artifacts', 'collector'],
  ['logged-models'],
  ['model-registry'],
  ['runs'],
  ['experiments'],
  ['workspaces'],
  ['tls'],
  ['secrets'],
  ['identity'],
  ['access'],
  ['search'],
  ['metric-store'],
  ['artifact-store'],
  ['database'],
  ['settings', 'telemetry'],
];

const room = (name) => `^packages/server/src/${name}(/|\\.ts$)`;

const upward = layers
  .flatMap((names, depth) => {
    const above = layers.slice(0, depth).flat();
    return names.map((name) => ({
      name: `${name}-imports-downward`,
      comment: `${name} must not import ${above.join(', ')}.`,
      severity: 'error',
      from: { path: room(name), pathNot: '\\.test\\.ts$' },
      to: { path: above.map(room) },
    }));
  })
  .filter(({ to }) => to.path.length > 0);

/** Rooms that do not know each other, though one stands above the other. */
const strangers = [
  ['search', 'metric-store'],
  ['search', 'artifact-store'],
  ['metric-store', 'artifact-store'],
].map(([from, to]) => ({
  name: `${from}-without-${to}`,
  severity: 'error',
  from: { path: room(from) },
  to: { path: room(to) },
}));

export default {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, path: '^packages/[^/]+/src', pathNot: '\\.test\\.ts$|/main\\.ts$|\\.d\\.ts$' },
      to: {},
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    ...upward,
    ...strangers,
    {
      name: 'http-without-stores',
      comment: 'http gets handlers from the composition; it knows no store and no engine.',
      severity: 'error',
      from: { path: room('http') },
      to: { path: ['-store\\.ts$', room('database'), room('search'), room('metric-store')] },
    },
    {
      name: 'fastify-in-http-only',
      severity: 'error',
      from: { path: '^packages/server/src', pathNot: [room('http'), room('server'), '\\.test\\.ts$'] },
      to: { path: 'node_modules/(fastify|find-my-way)' },
    },
    {
      name: 'prometheus-in-telemetry-only',
      severity: 'error',
      from: { path: '^packages/server/src', pathNot: [room('telemetry'), '\\.test\\.ts$'] },
      to: { path: 'node_modules/prom-client' },
    },
    {
      name: 'sqlite-in-database-only',
      comment: 'Outside of the database room nobody knows which engine runs.',
      severity: 'error',
      from: { path: '^packages/', pathNot: [room('database'), '\\.test\\.ts$', '/test/'] },
      to: { path: '^node:sqlite$' },
    },
    {
      name: 'pg-in-database-only',
      severity: 'error',
      from: { path: '^packages/', pathNot: [room('database'), '\\.test\\.ts$', '/test/'] },
      to: { path: 'node_modules/pg/' },
    },
    {
      name: 'contract-stands-alone',
      severity: 'error',
      from: { path: '^packages/contract/src' },
      to: { path: '^packages/(client|server|cli)/' },
    },
    {
      name: 'client-knows-the-contract-only',
      severity: 'error',
      from: { path: '^packages/client/src' },
      to: { path: '^packages/(server|cli)/' },
    },
    {
      name: 'client-runs-anywhere',
      comment:
        'What browsers load knows no module of Node; that is for packages/client/src/node and the entry points above it.',
      severity: 'error',
      from: {
        path: '^packages/client/src',
        pathNot:
          '/src/node/|/src/index\\.ts$|\\.test\\.ts$|/src/(credentials|databricks|dual-tracking)/|/src/azure\\.ts$',
      },
      to: { path: '^node:|^(fs|path|os|process|http|https|async_hooks)$|/client/src/node/' },
    },
    {
      name: 'server-knows-the-contract-only',
      severity: 'error',
      from: { path: '^packages/server/src' },
      to: { path: '^packages/(client|cli)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules|/dist/' },
    exclude: { path: '/dist/|/node_modules/|results/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['lazuli', 'import', 'node', 'default', 'types'],
    },
  },
};
