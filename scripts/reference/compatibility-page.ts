import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { contract, routesOf, transferRoutes, transfers, type Endpoint } from '@lazuli/contract';

import { code, page, table } from './markdown.ts';
import { unservedRoutes } from './unserved-routes.ts';

/** An entry of conformance/differential/accepted-differences.json. */
interface AcceptedDifference {
  readonly title: string;
  readonly reason: string;
  /** An answer in short: the status, and the code of an error. */
  readonly mlflow: string;
  readonly lazuli: string;
}

const intro = `The server follows MLflow 3.17, and an unmodified client of MLflow 2 or 3 works with it. This page says where they differ. The same
requests are sent to MLflow's own server and to this one (\`conformance/differential\`); a difference that is not listed below is a defect.`;

const beyond = `- Filters of searches take \`OR\`, parentheses, \`NOT\`, \`IN\` on params, tags and text attributes, and \`IS NULL\` on metrics: see
  [searching](../guides/search.md#what-lazuli-adds-to-mlflow).
- Page tokens mark a place in the order, so that pages stay right while others create runs.
- A filter that cannot be read is answered with the text and a mark below the place.
- The JSON literals \`NaN\`, \`Infinity\` and \`-Infinity\` are read as what they say, and chunked JSON bodies are read.
- Workspaces are always on: \`X-MLFLOW-WORKSPACE\` names one, and without it a request addresses the default one.
- API tokens are at \`/api/lazuli/1.0/tokens\`.
- \`/health/ready\` tells balancers whether to send requests, and \`/metrics\` is there without \`--expose-prometheus\`, under names of its own: see
  [monitoring](../guides/monitoring.md).`;

export function compatibilityPage(root: string): string {
  checkUnserved();
  return page(
    'Compatibility with MLflow',
    intro,
    '## Answered differently',
    "A status without a code is an answer whose body differs, or MLflow's page for people.",
    table(['what', 'MLflow 3.17 → Lazuli', 'why'], differencesByTitle(root)),
    '## Not served in this version',
    'These routes answer 404 `ENDPOINT_NOT_FOUND`, under `/api` and `/ajax-api` alike.',
    table(
      ['what', 'paths', 'what clients notice'],
      unservedRoutes.map(({ feature, paths, effect }) => [feature, paths.map(code).join('<br>'), effect]),
    ),
    '## Beyond MLflow',
    beyond,
  );
}

/** A row for each reason, with all pairs of answers that it explains. */
function differencesByTitle(root: string): string[][] {
  const file = join(root, 'conformance/differential/accepted-differences.json');
  const accepted = JSON.parse(readFileSync(file, 'utf8')) as AcceptedDifference[];
  const rows = new Map<string, { title: string; reason: string; answers: Set<string> }>();
  for (const { title, reason, mlflow, lazuli } of accepted) {
    const key = `${title}\n${reason}`;
    const row = rows.get(key) ?? { title, reason, answers: new Set<string>() };
    rows.set(key, row);
    row.answers.add(`${mlflow} → ${lazuli}`);
  }
  return [...rows.values()].map(({ title, reason, answers }) => [title, [...answers].join('<br>'), reason]);
}

/** A route that has come to be served must leave the list. */
function checkUnserved(): void {
  const endpoints = Object.values(contract).flatMap((group) => Object.values<Endpoint>(group));
  const served = [...endpoints.flatMap(routesOf), ...Object.values(transfers).flatMap(transferRoutes)];
  for (const path of unservedRoutes.flatMap(({ paths }) => paths)) {
    const whole = !path.endsWith('…');
    const route = served.find((one) => (whole ? one.path === path : one.path.startsWith(path.slice(0, -1))));
    if (route !== undefined) throw new Error(`${path} is listed as not served, and ${route.path} is.`);
  }
}
