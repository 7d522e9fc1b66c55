import { text as textOf } from 'node:stream/consumers';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { parse } from 'yaml';
import { entryColumns, entryShown, filesBelow } from '../artifact-files.ts';
import { CommandError } from '../output.ts';
import { firstOf } from '../pages.ts';
import { addServerCommand } from '../server-command.ts';
import type { Surroundings } from '../surroundings.ts';

/**
 * `lazuli models`: the part of `mlflow models` that needs no Python: what is in a model, and its files. Serving, prediction and
 * images run the model's own Python; `mlflow models` does those, with this server as its tracking URI.
 */
interface ByUri {
  readonly modelUri: string;
}

const byUri = (command: Command): Command =>
  command.requiredOption(
    '-m, --model-uri <uri>',
    'models:/{name}/{version}, models:/{name}@{alias}, models:/{id}, runs:/{run}/{path}',
  );

export function describeModels(command: Command, surroundings: Surroundings): void {
  addServerCommand<ByUri>(command, surroundings, {
    usage: 'show',
    summary: 'Show what a model says of itself in its file MLmodel: flavors, signature, requirements',
    options: byUri,
    columns: { Model: 'model_id || model_uuid', Run: 'run_id', Flavors: "join(', ', keys(flavors))" },
    examples: ['lazuli models show -m models:/churn@champion --query signature'],
    async answer({ locate }, { modelUri }) {
      const { store, folder } = await locate(modelUri);
      const path = folder === '' ? 'MLmodel' : `${folder}/MLmodel`;
      if (!(await store.list(folder)).some((entry) => entry.path === path)) {
        throw new CommandError(3, `There is no file MLmodel at ${modelUri}.`);
      }
      const { body } = await store.open(path);
      return parse(await textOf(body)) as unknown;
    },
  });

  addServerCommand<ByUri>(command, surroundings, {
    usage: 'list-files',
    summary: 'List all files of a model',
    options: byUri,
    columns: entryColumns,
    examples: ['lazuli models list-files -m models:/churn/3 -o table'],
    async answer({ locate }, { modelUri }) {
      const { store, folder } = await locate(modelUri);
      return (await firstOf(Infinity, filesBelow(store, folder))).map(entryShown);
    },
  });

  addServerCommand<ByUri & { dstPath: string }>(command, surroundings, {
    usage: 'download',
    summary: 'Download the files of a model, and list those that came',
    options: (download) => byUri(download).requiredOption('-d, --dst-path <folder>', 'where to'),
    examples: ['lazuli models download -m models:/churn@champion -d ./model'],
    answer: (server, { modelUri, dstPath }) => server.download(modelUri, resolve(surroundings.workingDir, dstPath)),
  });
}
