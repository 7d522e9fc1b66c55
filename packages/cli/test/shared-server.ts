import { afterAll, beforeAll } from 'vitest';
import { createClient, type Client } from '@lazuli/client';
import { aFolder, serving, type RunningServer } from './lazuli-process.ts';

/** One server for all tests of a file, in a folder of its own; what it has is there from the first test on. */
export interface SharedServer {
  readonly url: string;
  readonly client: Client;
  readonly folder: string;
}

export function sharedServer(): SharedServer {
  let folder: ReturnType<typeof aFolder>;
  let server: RunningServer;
  let client: Client;
  beforeAll(async () => {
    folder = aFolder();
    server = await serving(['--data-dir', 'data'], { cwd: folder.path });
    client = createClient({ url: server.url });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });
  return {
    get url() {
      return server.url;
    },
    get client() {
      return client;
    },
    get folder() {
      return folder.path;
    },
  };
}
