import { request } from 'node:https';
import { text } from 'node:stream/consumers';

/**
 * A developer's tools, signed in as an application of the authority under test: `az` and `pwsh` as the libraries call them
 * and read them. What Microsoft's libraries do not send, it refuses.
 */
const [tool = '', tokenUrl = '', appId = '', secret = '', ...args] = process.argv.slice(2);

async function getToken(resource: string): Promise<{ readonly token: string; readonly expiresSeconds: number }> {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: appId,
    client_secret: secret,
    scope: `${resource.replace(/\/$/, '')}/.default`,
  });
  const answer = await new Promise<string>((resolve, reject) => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    request(tokenUrl, { method: 'POST', headers }, (response) => {
      text(response).then(resolve, reject);
    })
      .on('error', reject)
      .end(form.toString());
  });
  const body = JSON.parse(answer) as { access_token?: string; expires_in: number };
  if (body.access_token === undefined) throw new Error(answer);
  return { token: body.access_token, expiresSeconds: Math.floor(Date.now() / 1000) + body.expires_in };
}

/** *Azure CLI: `az account get-access-token --output json --resource …`.* */
async function az(): Promise<string> {
  const [account, command, ...options] = args;
  const resource = options[options.indexOf('--resource') + 1];
  if (account !== 'account' || command !== 'get-access-token' || resource === undefined) return refuse();
  if (options[options.indexOf('--output') + 1] !== 'json') return refuse();
  const { token, expiresSeconds } = await getToken(resource);
  return JSON.stringify({ accessToken: token, expires_on: expiresSeconds, tokenType: 'Bearer' });
}

/** *Python sends a script that ends in a line of its own; JavaScript asks whether there is a PowerShell, and reads JSON.* */
async function pwsh(): Promise<string> {
  if (args[0] === '/?') return 'PowerShell';
  const [profile, interaction, how, given = ''] = args;
  if (profile !== '-NoProfile' || interaction !== '-NonInteractive') return refuse();
  const isEncoded = how === '-EncodedCommand';
  const script = isEncoded ? Buffer.from(given, 'base64').toString('utf16le') : given;
  const resource =
    process.env['AZURE_IDENTITY_POWERSHELL_RESOURCE'] ?? /ResourceUrl'? =? ?['"]([^'"]+)['"]/.exec(script)?.[1];
  if (!script.includes('Get-AzAccessToken')) return script.startsWith('Import-Module Az.Accounts') ? '' : refuse();
  const { token, expiresSeconds } = await getToken(resource ?? refuse());
  return isEncoded
    ? `\nazsdk%${token}%${expiresSeconds}\n`
    : JSON.stringify({ Token: token, ExpiresOn: new Date(expiresSeconds * 1000).toISOString() });
}

function refuse(): never {
  throw new Error(`${tool} was called in a way that it does not know: ${args.join(' ')}`);
}

try {
  process.stdout.write(await (tool === 'az' ? az() : pwsh()));
} catch (error) {
  process.stderr.write(`ERROR: ${String(error)}\n`);
  process.exitCode = 1;
}
