import { execFile } from 'node:child_process';
import { objectOf, type JsonObject } from './authority.ts';
import { resourceOf, SignInError, unavailable, type AccessToken, type TokenSource } from './credential.ts';
import type { Environment, SignInContext } from './sign-in-context.ts';

/** Tokens from tools that somebody has signed in to: Azure CLI and Azure PowerShell. Whatever they lack, the chain goes on. */
export interface DeveloperToolOptions {
  readonly tenantId?: string | undefined;
  readonly subscription?: string | undefined;
}

const toolLimit = 10_000;
const isWindows = process.platform === 'win32';

export function azureCliSource(options: DeveloperToolOptions, { environment, log }: SignInContext): TokenSource {
  return async (scope, signal) => {
    const { tenantId, subscription } = options;
    const words = [
      ...['account', 'get-access-token', '--output', 'json', '--resource', argument(resourceOf(scope))],
      ...(tenantId === undefined ? [] : ['--tenant', argument(tenantId)]),
      ...(subscription === undefined ? [] : ['--subscription', argument(subscription)]),
    ];
    log.debug(`az ${words.join(' ')}`);
    const { stdout, stderr, isMissing } = await run('az', words, environment, signal);
    if (isMissing) throw unavailable('Azure CLI is not installed, or not on PATH.');
    const answer = objectOf(stdout);
    if (typeof answer['accessToken'] === 'string') {
      // *Azure CLI: expires_on counts from 1970; expiresOn of older versions is local time.*
      return tokenOf(answer['accessToken'], Number(answer['expires_on'] ?? NaN) * 1000, answer['expiresOn']);
    }
    if (/az login|AADSTS/.test(stderr))
      throw unavailable(`Nobody is signed in to Azure CLI. ${firstLine(log.mask(stderr))}`);
    throw unavailable(`Azure CLI gave no token. ${firstLine(log.mask(stderr))}`);
  };
}

/** Reads the token as text, also from versions that hand out a secure string. */
const script = `
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$WarningPreference = 'SilentlyContinue'
Import-Module Az.Accounts -MinimumVersion 2.2.0
$query = @{ ResourceUrl = $env:AZURE_IDENTITY_POWERSHELL_RESOURCE }
if ($env:AZURE_IDENTITY_POWERSHELL_TENANT_ID) { $query.TenantId = $env:AZURE_IDENTITY_POWERSHELL_TENANT_ID }
$answer = Get-AzAccessToken @query
$text = $answer.Token
if ($text -is [securestring]) { $text = [Net.NetworkCredential]::new('', $text).Password }
@{ Token = $text; ExpiresOn = $answer.ExpiresOn.UtcDateTime.ToString('o') } | ConvertTo-Json -Compress
`;

export function azurePowerShellSource({ tenantId }: DeveloperToolOptions, context: SignInContext): TokenSource {
  const { log } = context;
  return async (scope, signal) => {
    const environment = {
      ...context.environment,
      AZURE_IDENTITY_POWERSHELL_RESOURCE: resourceOf(scope),
      ...(tenantId === undefined ? {} : { AZURE_IDENTITY_POWERSHELL_TENANT_ID: tenantId }),
    };
    for (const program of isWindows ? ['pwsh.exe', 'powershell.exe'] : ['pwsh']) {
      log.debug(`${program} Get-AzAccessToken -ResourceUrl ${resourceOf(scope)}`);
      const words = ['-NoProfile', '-NonInteractive', '-Command', script];
      const { stdout, stderr, isMissing } = await run(program, words, environment, signal);
      if (isMissing) continue;
      const answer: JsonObject = objectOf(stdout);
      if (typeof answer['Token'] === 'string') return tokenOf(answer['Token'], NaN, answer['ExpiresOn']);
      if (/Az\.Accounts/.test(stderr)) throw unavailable('PowerShell lacks the module Az.Accounts.');
      if (/Connect-AzAccount/.test(stderr)) throw unavailable('Nobody is signed in to Azure PowerShell.');
      throw unavailable(`Azure PowerShell gave no token. ${firstLine(log.mask(stderr))}`);
    }
    throw unavailable('PowerShell is not installed, or not on PATH.');
  };
}

/** What goes on a command line, which on Windows a shell reads. */
function argument(text: string): string {
  if (!/^[\w:/.-]+$/.test(text) || text.startsWith('-')) throw unavailable(`'${text}' cannot be handed to Azure CLI.`);
  return text;
}

interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly isMissing: boolean;
}

async function run(
  program: string,
  words: readonly string[],
  environment: Environment,
  signal: AbortSignal,
): Promise<Outcome> {
  const limit = AbortSignal.timeout(toolLimit);
  return await new Promise((resolve, reject) => {
    execFile(
      program,
      words,
      {
        // Elsewhere a program of the same name could lie in wait.
        cwd: isWindows ? environment['SystemRoot'] : '/bin',
        env: environment,
        // *Azure CLI on Windows is a batch file.*
        shell: isWindows && program === 'az',
        encoding: 'utf8',
        maxBuffer: 1 << 20,
        signal: AbortSignal.any([signal, limit]),
      },
      (error, stdout, stderr) => {
        if (signal.aborted) reject(signal.reason);
        else if (limit.aborted)
          reject(new SignInError('timed out', `'${program}' gave no answer within ${toolLimit} ms.`));
        else {
          const isMissing = (error?.code as unknown) === 'ENOENT' || /is not recognized as/.test(stderr);
          resolve({ stdout, stderr, isMissing });
        }
      },
    ).stdin?.end();
  });
}

function tokenOf(token: string, expiresAt: number, dateText: unknown): AccessToken {
  const date = typeof dateText === 'string' ? Date.parse(dateText) : NaN;
  const expiresOnTimestamp = [expiresAt, date].find(Number.isFinite) ?? Date.now() + 10 * 60_000;
  return { token, expiresOnTimestamp };
}

function firstLine(text: string): string {
  return text.trim().split(/\r?\n/)[0] ?? '';
}
