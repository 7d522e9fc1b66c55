import { resolve } from 'node:path';
import type { Server } from '@lazuli/client';
import type { Command } from 'commander';
import { entryColumns, entryShown, fileIn, filesIn, uploadFiles } from '../artifact-files.ts';
import { CommandError } from '../output.ts';
import { addServerCommand } from '../server-command.ts';
import type { Surroundings } from '../surroundings.ts';

/** `lazuli artifacts`: MLflow's commands for the files of runs, with its options. */
interface OfRun {
  readonly runId: string;
  readonly artifactPath?: string;
}

const ofRun = (command: Command): Command =>
  command
    .requiredOption('-r, --run-id <id>', 'the run')
    .option('-a, --artifact-path <path>', 'the folder among its artifacts (default: their root)');
const runId = '5c1ee5dcff864ba3b2bd24de1d1c0c4a';

export function describeArtifacts(command: Command, surroundings: Surroundings): void {
  const local = (path: string): string => resolve(surroundings.workingDir, path);

  addServerCommand<OfRun>(command, surroundings, {
    usage: 'list',
    summary: 'List the artifacts of a run, one folder at a time',
    options: ofRun,
    columns: entryColumns,
    examples: [`lazuli artifacts list --run-id ${runId} --artifact-path model -o table`],
    async answer(server, options) {
      const store = await storeOf(server, options.runId);
      return (await store.list(options.artifactPath ?? '')).map(entryShown);
    },
  });

  addServerCommand<Partial<OfRun> & { artifactUri?: string; dstPath?: string }>(command, surroundings, {
    usage: 'download',
    summary: 'Download a file, or a folder with all below it, and list the files that came',
    options: (download) =>
      download
        .option('-r, --run-id <id>', 'the run')
        .option('-a, --artifact-path <path>', 'the file or folder among its artifacts (default: all)')
        .option('-u, --artifact-uri <uri>', 'or a URI: runs:/…, models:/…, an artifact root')
        .option('-d, --dst-path <folder>', 'where to (default: a new temporary folder)'),
    examples: [
      `lazuli artifacts download --run-id ${runId} --artifact-path model --dst-path ./model`,
      'lazuli artifacts download --artifact-uri models:/churn@champion --dst-path ./model',
    ],
    async answer(server, { runId, artifactPath = '', artifactUri, dstPath }) {
      if ((runId === undefined) === (artifactUri === undefined)) {
        throw new CommandError(2, 'Give one of --run-id and --artifact-uri.');
      }
      const into = dstPath === undefined ? undefined : local(dstPath);
      return server.download(artifactUri ?? `runs:/${runId}/${artifactPath}`, into);
    },
  });

  addServerCommand<OfRun & { localFile: string }>(command, surroundings, {
    usage: 'log-artifact',
    summary: 'Upload a file as an artifact of a run',
    options: (log) => ofRun(log.requiredOption('-l, --local-file <file>', 'the file')),
    examples: [`lazuli artifacts log-artifact --local-file report.html --run-id ${runId}`],
    async answer(server, { runId, localFile, artifactPath }) {
      await uploadFiles(await storeOf(server, runId), await fileIn(artifactPath, local(localFile)));
    },
  });

  addServerCommand<OfRun & { localDir: string }>(command, surroundings, {
    usage: 'log-artifacts',
    summary: 'Upload a folder with all below it as artifacts of a run',
    options: (log) => ofRun(log.requiredOption('-l, --local-dir <folder>', 'the folder')),
    examples: [`lazuli artifacts log-artifacts --local-dir ./plots --run-id ${runId} --artifact-path plots`],
    async answer(server, { runId, localDir, artifactPath }) {
      await uploadFiles(await storeOf(server, runId), await filesIn(artifactPath, local(localDir)));
    },
  });
}

async function storeOf({ client, artifactsAt }: Server, run_id: string) {
  const { run } = await client.runs.getRun({ run_id });
  return artifactsAt(run.info.artifact_uri);
}
