import type { Client } from '@lazuli/client';
import type { Command } from 'commander';
import { connect, connectionOf, type Connection } from '../connection.ts';
import { EndWithStatus } from '../output.ts';
import { withHelp } from '../command-help.ts';
import { printer, withServerOptions, type ServerOptions } from '../server-command.ts';
import { version, type Surroundings } from '../surroundings.ts';

/**
 * `lazuli doctor`: what stands between this shell and a server, one step after the other: is it there, is it one of MLflow's, are
 * the clocks together, who is calling, and which workspace is meant. What fails says why; what comes after it is not asked.
 */
interface Finding {
  readonly check: string;
  readonly state: 'ok' | 'failed';
  readonly detail: string;
}

/** Signed URLs and tokens allow for five minutes of difference. */
const toleratedSkewMs = 5 * 60_000;

export function describeDoctor(command: Command, surroundings: Surroundings): void {
  withHelp(withServerOptions(command), {
    notes: 'The command ends with status 1 when something fails.',
    examples: ['lazuli doctor -o table', `lazuli doctor --url https://lazuli.example.org --query "[?state=='failed']"`],
  }).action(async (options: ServerOptions) => {
    const print = printer(options, surroundings, { Check: 'check', State: 'state', Detail: 'detail' });
    const findings = await examine(connectionOf(options, surroundings), (await connect(options, surroundings)).client);
    print(findings);
    if (findings.some(({ state }) => state === 'failed')) throw new EndWithStatus(1);
  });
}

async function examine({ url, proof, workspace }: Connection, client: Client): Promise<Finding[]> {
  const findings: Finding[] = [
    { check: 'command', state: 'ok', detail: `lazuli ${version} on Node ${process.versions.node}` },
  ];
  const steps: readonly (readonly [string, () => Promise<string>])[] = [
    ['server', () => serverVersion(url)],
    ['clock', () => clockSkew(url)],
    [
      'sign-in',
      async () => {
        await client.serverInfo.getServerInfo({});
        return proof === undefined ? 'without a credential' : `with ${proof}`;
      },
    ],
    [
      'workspace',
      async () => {
        const { experiment } = await client.experiments.getExperiment({ experiment_id: '0' });
        return workspace === undefined ? `${experiment.workspace}, because none is named` : experiment.workspace;
      },
    ],
  ];
  for (const [check, step] of steps) {
    try {
      findings.push({ check, state: 'ok', detail: await step() });
    } catch (error) {
      return [...findings, { check, state: 'failed', detail: reasonOf(error) }];
    }
  }
  return findings;
}

async function serverVersion(url: string): Promise<string> {
  const response = await fetch(`${url}/version`);
  const text = await response.text();
  if (!response.ok || text.length > 50) {
    throw new Error(`${url}/version is not answered as a tracking server does (status ${response.status}).`);
  }
  return `MLflow ${text.trim()} at ${url}`;
}

async function clockSkew(url: string): Promise<string> {
  const response = await fetch(`${url}/health`);
  const date = Date.parse(response.headers.get('date') ?? '');
  if (Number.isNaN(date)) return 'the server does not tell its time';
  const skewMs = Math.abs(Date.now() - date);
  if (skewMs <= toleratedSkewMs) return 'together with the server';
  throw new Error(
    `This machine and the server are ${Math.round(skewMs / 1000)} s apart: tokens and signed URLs will be refused.`,
  );
}

/** `fetch` hides in the cause why a server was not reached. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error && error.message === 'fetch failed'
    ? `It is not reached: ${cause.message || String(cause)}`
    : error.message;
}
