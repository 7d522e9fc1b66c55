import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Puts executables into folders of their own, for `PATH`: `az` and `pwsh`, signed in as an application. */
export async function signedInTools(
  folder: string,
  { url, caFile, appId, secret }: { url: string; caFile: string; appId: string; secret: string },
): Promise<{ readonly az: string; readonly pwsh: string }> {
  const program = join(import.meta.dirname, 'signed-in-tool.ts');
  const write = async (tool: 'az' | 'pwsh'): Promise<string> => {
    const place = join(folder, `tools-${tool}`);
    await mkdir(place, { recursive: true });
    const command = [process.execPath, program, tool, `${url}/adfs/oauth2/v2.0/token`, appId, secret];
    const line = command.map((word) => `'${word}'`).join(' ');
    await writeFile(join(place, tool), `#!/bin/sh\nNODE_EXTRA_CA_CERTS='${caFile}' exec ${line} "$@"\n`, {
      mode: 0o700,
    });
    return place;
  };
  return { az: await write('az'), pwsh: await write('pwsh') };
}
