import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  ApiToken,
  contract,
  Dataset,
  DatasetInput,
  Experiment,
  FileInfo,
  LoggedModel,
  Metric,
  ModelVersion,
  Param,
  RegisteredModel,
  Run,
  RunInfo,
  RunTag,
  transfers,
  Workspace,
} from '@lazuli/contract';
import { version } from '@lazuli/server';
import { openApiDocument } from '../packages/contract/src/openapi.ts';
import { attacksPage } from './reference/attacks-page.ts';
import { clientPage } from './reference/client-page.ts';
import { commandPage } from './reference/command-page.ts';
import { compatibilityPage } from './reference/compatibility-page.ts';
import { endpointsPage } from './reference/endpoints-page.ts';
import { errorsPage } from './reference/errors-page.ts';
import { importDrawing } from './reference/import-drawing.ts';
import { limitsPage } from './reference/limits-page.ts';
import { rolesPage } from './reference/roles-page.ts';
import { settingsPage } from './reference/settings-page.ts';

/**
 * `npm run generate` writes what follows from the code: the reference pages and the drawing in ARCHITECTURE.md. With
 * `--check` it writes nothing and names each file that is not as it would write it.
 */
const root = join(import.meta.dirname, '..');
const named = {
  ApiToken,
  Dataset,
  DatasetInput,
  Experiment,
  FileInfo,
  LoggedModel,
  Metric,
  ModelVersion,
  Param,
  RegisteredModel,
  Run,
  RunInfo,
  RunTag,
  Workspace,
};

const files: Readonly<Record<string, string>> = {
  'docs/reference/openapi.json': `${JSON.stringify(openApiDocument({ version, groups: contract, transfers, named }), null, 1)}\n`,
  'docs/reference/endpoints.md': endpointsPage(root),
  'docs/reference/errors.md': errorsPage(),
  'docs/reference/settings.md': settingsPage(),
  'docs/reference/command.md': await commandPage(),
  'docs/reference/limits.md': limitsPage(),
  'docs/reference/compatibility.md': compatibilityPage(root),
  'docs/reference/client.md': clientPage(root),
  'docs/reference/roles.md': rolesPage(),
  'docs/reference/attacks.md': attacksPage(root),
  'ARCHITECTURE.md': withDrawing(present('ARCHITECTURE.md') ?? '', await importDrawing(root)),
};

const stale = Object.keys(files).filter((file) => present(file) !== files[file]);
if (process.argv.includes('--check')) {
  for (const file of stale) console.error(`${file} is stale: run \`npm run generate\` and commit what it writes.`);
  process.exitCode = stale.length === 0 ? 0 : 1;
} else {
  for (const file of stale) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), files[file] ?? '');
    console.log(`wrote ${file}`);
  }
}

function present(file: string): string | undefined {
  try {
    return readFileSync(join(root, file), 'utf8');
  } catch {
    return undefined;
  }
}

/** Puts the drawing between its two markers. */
function withDrawing(text: string, drawing: string): string {
  const [start, end] = ['<!-- drawing: written by `npm run generate` -->', '<!-- end of the drawing -->'];
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`ARCHITECTURE.md needs the markers ${start} and ${end}, in this order.`);
  return `${text.slice(0, from)}${start}\n\n${drawing}\n\n${text.slice(to)}`;
}
