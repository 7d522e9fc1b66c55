import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createClient } from '@lazuli/client';
import { createClientCertificate, createServer, identitySecretFile, parseSettings } from '@lazuli/server';
import { startPlatformIssuer, workload } from '../../packages/server/test/identity/platform-issuer.ts';
import { signedInTools } from '../../packages/server/test/identity/signed-in-tools.ts';
import { startTlsFront } from '../../packages/server/test/identity/tls-front.ts';

/** A server behind TLS, and everybody whom `credentials.py` signs in as. */
const [python = '', temporary = ''] = process.argv.slice(2);
const root = join(import.meta.dirname, '..', '..');
const dataDir = join(temporary, 'data');
await mkdir(dataDir, { recursive: true });
const front = await startTlsFront();
const flags = { 'data-dir': dataDir, port: '0', 'log-level': 'warn', imds: 'on', 'public-url': front.url };
const server = await createServer(parseSettings({ flags, env: {}, workingDir: dataDir, readFile: () => '' }));
await server.listen();
const { port } = server.app.server.address() as AddressInfo;
front.leadTo(port);
const caFile = join(temporary, 'ca.pem');
await writeFile(caFile, front.certificate);

const plainUrl = `http://127.0.0.1:${port}`;
const { directory } = createClient({ url: plainUrl });
const { object } = await directory.createServicePrincipal({ display_name: 'robot' });
const { secret } = await directory.createSecret({ object: object.object_id });
const { certificate, privateKey } = await createClientCertificate('robot', Date.now() + 86_400_000);
await directory.addCertificate({ object: object.object_id, certificate });
const certificateFile = join(temporary, 'robot.pem');
await writeFile(certificateFile, `${privateKey}\n${certificate}\n`);
const user = await directory.createUser({ user_name: 'ann@example.org' });
const identity = await directory.getDirectoryObject({ object: 'managed-identity' });

const browser = join(temporary, 'browser.sh');
const signIn = join(root, 'packages', 'server', 'test', 'identity', 'sign-in-browser.ts');
await writeFile(browser, `#!/bin/sh\n'${process.execPath}' '${signIn}' "$1" >'${temporary}/browser.log' 2>&1 &\n`);
await chmod(browser, 0o700);
const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

const appId = object.app_id ?? '';
const tools = await signedInTools(temporary, { url: front.url, caFile, appId, secret });

const platform = await startPlatformIssuer();
await directory.addFederatedCredential({ object: object.object_id, issuer: platform.issuer, subject: workload });
const platformToken = join(temporary, 'platform-token');
await writeFile(platformToken, await platform.token());

const facts = {
  platform_token: platformToken,
  tools,
  url: front.url,
  plain_url: plainUrl,
  application: { object_id: object.object_id, app_id: appId, secret, certificate: certificateFile },
  user: { object_id: user.object.object_id, user_name: 'ann@example.org', password: user.password },
  identity: {
    object_id: identity.object.object_id,
    app_id: identity.object.app_id,
    secret: (await readFile(identitySecretFile(dataDir), 'utf8')).trim(),
  },
  browser: chromium === undefined ? null : browser,
};
await writeFile(join(temporary, 'facts.json'), JSON.stringify(facts));
const status = await new Promise<number>((resolve) => {
  const child = spawn(python, [join(import.meta.dirname, 'credentials.py'), join(temporary, 'facts.json')], {
    env: {
      ...process.env,
      REQUESTS_CA_BUNDLE: caFile,
      BROWSER: browser,
      LAZULI_TEST_USER: 'ann@example.org',
      LAZULI_TEST_PASSWORD: user.password ?? '',
      LAZULI_TEST_CHROMIUM: chromium ?? '',
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  child.on('close', (code) => resolve(code ?? 1));
});
await platform[Symbol.asyncDispose]();
await front.close();
await server.close();
process.exitCode = status;
