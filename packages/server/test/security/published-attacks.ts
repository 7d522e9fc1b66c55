/**
 * The attacks that were published against MLflow servers (section 4 of the protocol's notes), and what each is to this
 * server. Those that concern what it has are tested under their own names: `published-attacks.test.ts` looks for every name
 * in the titles of the tests, so that none can be lost. The others are marked with what would bring them here.
 */
export interface PublishedAttack {
  readonly name: string;
  readonly mechanism: string;
  /** `here`: tested. Otherwise the part that does not exist yet, or is no part of a server. */
  readonly concerns:
    'here' | 'webhooks' | 'gateway' | 'traces' | 'graphql' | 'users and passwords' | 'jobs' | 'assistant' | 'clients';
  /** Below `packages/server/src`. The tests of the attack fail where the defence is taken out of any of them. */
  readonly defence?: readonly string[];
}

function list(concerns: PublishedAttack['concerns'], rows: Readonly<Record<string, string>>): PublishedAttack[] {
  return Object.entries(rows).map(([name, mechanism]) => ({ name, mechanism, concerns }));
}

/** Those that are tested, with the files of the server that hold them off. */
function here(defence: readonly string[], rows: Readonly<Record<string, string>>): PublishedAttack[] {
  return list('here', rows).map((attack) => ({ ...attack, defence }));
}

export const publishedAttacks: readonly PublishedAttack[] = [
  ...here(['artifact-store/artifact-path.ts'], {
    'CVE-2023-30172': 'parent folders in the path of an artifact',
    'CVE-2023-1176': 'an absolute path of an artifact',
    'CVE-2023-6015': 'an upload outside of the root',
    'CVE-2023-6018': 'an upload over existing files',
    'CVE-2023-6753': 'Windows traversal through the proxy',
    'CVE-2023-6831': 'an encoded traversal in a deletion',
    'CVE-2026-2033': 'traversal in the artifact handler',
  }),
  ...here(['artifact-store/artifact-path.ts', 'artifact-store/artifact-location.ts'], {
    'CVE-2023-3765': 'a Windows path',
    'CVE-2024-1560': 'decoding twice in a deletion',
    'CVE-2024-1594': 'a fragment in a location',
    'CVE-2024-8859': 'dbfs with a query in the path',
  }),
  ...here(
    ['artifact-store/artifact-path.ts', 'artifact-store/artifact-location.ts', 'model-registry/model-source.ts'],
    {
      'CVE-2023-2780': 'a file URI with a relative host, backslashes',
      'CVE-2023-6977': 'a path with two slashes',
      'CVE-2024-1558': 'a check before decoding',
      'CVE-2024-1593': 'parameters that smuggle a path',
    },
  ),
  ...here(['artifact-store/artifact-path.ts', 'model-registry/model-source.ts'], {
    'CVE-2023-2356': 'relative traversal in many schemes',
  }),
  ...here(['artifact-store/artifact-location.ts'], {
    'CVE-2024-3848': 'an encoded fragment',
    'unfixed practice': 'a location on a host, then a download through the server',
  }),
  ...here(['artifact-store/artifact-location.ts', 'artifacts/artifact-folders.ts'], {
    'CVE-2023-6909': 'tricks with the query of a location',
    'CVE-2023-6974': 'a URL that the server fetches',
    'CVE-2023-6975': 'writing anywhere through a crafted location',
    'CVE-2024-2928': 'a fragment in a location without a host',
    'CVE-2024-3573': 'confusion of schemes',
  }),
  ...here(['artifacts/artifact-folders.ts', 'model-registry/model-source.ts'], {
    'CVE-2023-1177': 'a file URI as source, then a download',
  }),
  ...here(['artifact-store/artifact-location.ts', 'model-registry/model-source.ts', 'artifacts/artifact-folders.ts'], {
    'CVE-2024-1483': 'a fragment in a location',
  }),
  ...here(['model-registry/model-source.ts'], {
    'CVE-2023-6976': 'writing anywhere through a crafted source',
    'CVE-2025-11201': 'traversal at the creation of a model',
    'CVE-2026-2614': 'a prompt tag that skips the check of a source',
    'CVE-2026-116690': 'the same with a relative source',
    'campaign of 2026': 'sources on hostile hosts',
  }),
  ...here(['model-registry/registry-rules.ts'], {
    'GHSA-wp72-7hj9-5265': 'names that are used as paths',
    'CVE-2024-3099': 'encoded twins of a name',
  }),
  ...here(['access/authenticate.ts'], {
    'CVE-2023-6014': 'an account without a login',
    'CVE-2025-1474': 'a user without a password',
    'CVE-2025-11200': 'a weak or empty password',
    'CVE-2026-2635': 'a default password',
  }),
  ...here(['http/admission.ts', 'access/authenticate.ts'], {
    'CVE-2025-14297': 'routes without a check',
    'CVE-2025-15381': 'families of endpoints without a check',
    'CVE-2026-0545': 'an API that was left open',
    'CVE-2026-2652': 'routes of another framework without a check',
    'CVE-2026-2651': 'transfers without a check',
    'CVE-2026-33866': 'a download without a check',
  }),
  ...here(['http/admission.ts', 'access/decide.ts'], {
    'CVE-2024-4263': 'a role that may edit deletes',
    'CVE-2026-2734': 'a search that is not filtered by rights',
    'CVE-2026-3198': 'a list that tells of what others have',
  }),
  ...here(['http/host-guard.ts'], {
    'CVE-2025-14279': 'DNS rebinding',
  }),
  ...here(['http/host-guard.ts', 'http/json-text.ts'], {
    'CVE-2023-43472': 'simple content types from pages of other origins',
    'CVE-2025-1473': 'cross-site request forgery',
    'CVE-2026-2611': 'trust in an origin',
  }),
  ...here(['http/error-response.ts'], {
    'CVE-2023-6568': 'a content type that comes back as HTML',
  }),
  ...here(['artifacts/served-file.ts'], {
    'CVE-2026-33865': 'stored content that a browser runs',
  }),
  ...here(['contract', 'artifact-store/artifact-location.ts'], {
    'CVE-2024-6838': 'names and locations without end',
  }),
  ...list('webhooks', {
    'CVE-2026-2393': 'private addresses',
    'CVE-2026-64849': 'redirects and DNS rebinding',
  }),
  ...list('gateway', {
    'CVE-2025-52967': 'an open proxy',
    'CVE-2026-4035': 'variables of the environment in secrets',
  }),
  ...list('jobs', {
    'CVE-2026-115886': 'arguments of scorers that choose a URL',
    'CVE-2026-116692': 'scorers that import modules',
  }),
  ...list('traces', { 'CVE-2026-53995': 'the id of a trace as a path' }),
  ...list('graphql', { 'CVE-2025-0453': 'batches that exhaust the workers' }),
  ...list('clients', {
    'CVE-2024-0520': 'a file name from a remote server',
    'CVE-2024-27132': 'a table that runs in a notebook',
    'CVE-2026-0596': 'shell commands from metadata',
    'CVE-2024-37052': 'deserialisation of a model',
    'CVE-2026-96804': 'a switch that one flavour lacks',
    'CVE-2025-15031': 'traversal in an archive',
    'CVE-2022-0736': 'temporary files',
    'CVE-2023-6709': 'injection into a template',
  }),
];
