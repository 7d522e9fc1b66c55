import { AsyncLocalStorage } from 'node:async_hooks';
import { emitWarning, env as processEnvironment, stderr } from 'node:process';
import { MlflowError } from '@lazuli/contract';
import { connectionSettings, flag, type Environment } from '../environment.ts';
import type { OnnxRuntime } from '../models/load-model.ts';
import type { Platform } from '../tracking/platform.ts';
import type { Run } from '../tracking/run-handle.ts';
import { fetchWith } from './connecting-fetch.ts';
import { atExit } from './exit.ts';
import { digestOf, nodeFiles } from './files.ts';
import { localStore } from './local-store.ts';
import { machineSampler, sourceTags } from './machine.ts';
import { transferLine } from './transfer-line.ts';
import { keepInFile } from './unsent-file.ts';

/** What Node, Deno and Bun have; a command has an environment of its own where it runs within another process. */
export function nodePlatform(env: Environment = processEnvironment): Platform {
  const active = new AsyncLocalStorage<Run>();
  const watchTransfer = transferLine(stderr);
  let sample: (() => Promise<Record<string, number>>) | undefined;
  return {
    environment: () => env,
    fetchFor: ({ tls }, environment) => fetchWith(tls, environment),
    sourceTags,
    files: nodeFiles,
    digestOf,
    localStore,
    watchTransfer: (verb, files) =>
      flag(env, 'MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR', true) ? watchTransfer(verb, files) : undefined,
    activeRun: { current: () => active.getStore(), within: (run, work) => active.run(run, work) },
    atExit,
    keep: (runId, lines) => keepInFile(env, runId, lines),
    systemMetrics: () => (sample ??= machineSampler())(),
    // Loaded for those alone who sign in. What may be skipped for a server's certificate may not be for an authority's.
    signIn: async (uri, environment) => {
      const { signIn } = await import('../sign-in.ts');
      const { tls } = connectionSettings(environment);
      return signIn(uri, environment, fetchWith({ ...tls, isInsecure: false }, environment));
    },
    warn: (message) => emitWarning(message, 'LazuliWarning'),
  };
}

/** The package is a peer that is only needed by those who load models. */
export async function onnxRuntimeNode(): Promise<OnnxRuntime> {
  const name = 'onnxruntime-node';
  try {
    const module = (await import(name)) as { default?: OnnxRuntime } & OnnxRuntime;
    return module.default ?? module;
  } catch (cause) {
    throw new MlflowError('NOT_IMPLEMENTED', `Install ${name} beside this package to load ONNX models.`, { cause });
  }
}
