import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { azureScope, startAzureMl, storageOrigin, type AzureMl } from './azure-ml.ts';
import { aFolder } from './lazuli-process.ts';
import { run } from './run-command.ts';

let folder: ReturnType<typeof aFolder>;
let azure: AzureMl;
beforeAll(async () => {
  folder = aFolder();
  azure = await startAzureMl(folder.path);
});
afterAll(async () => {
  await azure[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});
beforeEach(() => {
  azure.refuse = () => undefined;
  azure.datastore = { type: 'AzureBlob', secrets: 'Sas' };
});

function write(name: string, content: string | Buffer): string {
  const file = join(folder.path, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  return name;
}

function there(...args: readonly string[]) {
  return run(args, { cwd: folder.path, env: azure.env });
}

let jobs = 0;
/** Creates a job from these fields, and tells what came of it and what was asked meanwhile. */
async function create(fields: object) {
  const name = `job-${(jobs += 1)}`;
  const file = write(
    'job.yml',
    JSON.stringify({ command: 'python train.py', environment: 'azureml:sklearn:1', ...fields }),
  );
  const [asked, ofStorage] = [azure.asked.length, azure.ofStorage.length];
  const { status, stdout, stderr } = await there('job', 'create', '-f', file, '-n', name);
  const job = azure.stored.get(`${azureScope}/jobs/${name}`)?.properties as JobProperties | undefined;
  return { status, stdout, stderr, job, asked: azure.asked.slice(asked), ofStorage: azure.ofStorage.slice(ofStorage) };
}

interface JobProperties {
  readonly codeId?: string;
  readonly environmentId: string;
  readonly inputs: Readonly<
    Record<string, { readonly jobInputType: string; readonly uri: string; readonly mode?: string }>
  >;
}

/** What the version that a job names says of itself. */
function versionAt(id: string | undefined): Readonly<Record<string, unknown>> {
  return azure.stored.get(id ?? '')?.properties ?? {};
}

/** The files at an address of Blob Storage, by their paths below it. */
async function filesAt(address: string): Promise<Map<string, string>> {
  const [, container = '', ...below] = address.slice(storageOrigin.length).split('/');
  const prefix = `${below.filter((name) => name !== '').join('/')}/`;
  const blobs = [...(await azure.blobsIn(container))].filter(([name]) => name.startsWith(prefix));
  return new Map(blobs.map(([name, content]) => [name.slice(prefix.length), content.toString()]));
}

const store = `${storageOrigin}/artifacts-1`;
const datastore = 'azureml://datastores/workspaceblobstore/paths/';
const puts = (requests: readonly { readonly method: string }[]) => requests.filter(({ method }) => method === 'PUT');

test('puts the job as its resource manager takes it', async () => {
  const file = write(
    'azure.yml',
    `
command: python train.py --rate \${{inputs.rate}} --data \${{inputs.data}} --out \${{outputs.model}}
code: azureml:code:3
environment: azureml:sklearn@latest
compute: azureml:cpu-cluster
experiment_name: iris
display_name: a first try
description: About
tags: {team: red}
environment_variables: {COLOUR: red}
inputs:
  rate: 0.25
  data: {type: uri_folder, path: 'azureml://datastores/blob/paths/iris', mode: ro_mount}
outputs:
  model: {type: mlflow_model, mode: rw_mount}
resources: {instance_count: 2, shm_size: 2g}
limits: {timeout: 3600}
distribution: {type: pytorch, process_count_per_instance: 2}
identity: {type: managed}
`,
  );
  const { status, stdout, stderr } = await there('job', 'create', '-f', file, '--name', 'nightly');
  expect([status, stderr]).toEqual([0, '']);
  expect(JSON.parse(stdout)).toMatchObject({
    name: 'nightly',
    display_name: 'a first try',
    experiment_name: 'iris',
    status: 'Queued',
    compute: 'azureml:cpu-cluster',
  });
  expect(azure.asked.at(-1)).toEqual({
    line: `PUT ${azureScope}/jobs/nightly?api-version=2024-10-01`,
    authorization: 'Bearer of-a-user',
    body: {
      properties: {
        jobType: 'Command',
        command: 'python train.py --rate ${{inputs.rate}} --data ${{inputs.data}} --out ${{outputs.model}}',
        codeId: `${azureScope}/codes/code/versions/3`,
        environmentId: `${azureScope}/environments/sklearn/versions/12`,
        computeId: `${azureScope}/computes/cpu-cluster`,
        experimentName: 'iris',
        displayName: 'a first try',
        description: 'About',
        tags: { team: 'red' },
        environmentVariables: { COLOUR: 'red' },
        inputs: {
          rate: { jobInputType: 'literal', value: '0.25' },
          data: { jobInputType: 'uri_folder', uri: 'azureml://datastores/blob/paths/iris', mode: 'ReadOnlyMount' },
        },
        outputs: { model: { jobOutputType: 'mlflow_model', mode: 'ReadWriteMount' } },
        resources: { instanceCount: 2, shmSize: '2g' },
        limits: { jobLimitsType: 'Command', timeout: 'PT3600S' },
        distribution: { distributionType: 'PyTorch', processCountPerInstance: 2 },
        identity: { identityType: 'Managed' },
      },
    },
  });
  expect((await there('job', 'list', '--query', '[].name', '-o', 'tsv')).stdout).toBe('nightly\n');
  expect((await there('job', 'show', '-n', 'nightly', '--query', 'status')).stdout).toBe('"Queued"\n');
});

test('cancels a job, and waits until that is done', async () => {
  await create({});
  const name = [...azure.stored.values()].at(-1)?.name ?? '';
  expect(await there('job', 'cancel', '-n', name)).toEqual({
    status: 0,
    stdout: '',
    stderr: `The job ${name} is canceled.\n`,
  });
  expect(azure.asked.slice(-2).map(({ line }) => line)).toEqual([
    `POST ${azureScope}/jobs/${name}/cancel?api-version=2024-10-01`,
    'GET /operations/cancel',
  ]);
  expect((await there('job', 'show', '-n', name, '--query', 'status')).stdout).toBe('"Canceled"\n');
  expect(await there('job', 'cancel', '-n', 'none')).toMatchObject({ status: 3, stdout: '' });
});

describe('code of this machine', () => {
  const names = ['train.py', 'deep/er/x y.py', 'größe 100%.txt', 'a#b?c&d=e+f.txt', 'empty'];

  test('is uploaded byte by byte, registered, and named by the job', async () => {
    for (const name of names) write(`plain code/${name}`, name === 'empty' ? '' : `content of ${name}`);
    const { status, stderr, job, asked, ofStorage } = await create({ code: './plain code' });
    expect([status, stderr]).toEqual([
      0,
      expect.stringMatching(/^lazuli: .*plain code: 5 files, 0\.0 MB; uploaded 0\.0 MB\n$/),
    ]);
    expect(job?.codeId).toMatch(new RegExp(`^${azureScope}/codes/[0-9a-f]{64}/versions/1$`));
    const hash = job?.codeId?.split('/').at(-3);
    const code = versionAt(job?.codeId);
    expect(code).toEqual({
      codeUri: expect.stringMatching(new RegExp(`^${storageOrigin}/artifacts-\\d+/plain-code$`)) as string,
      isAnonymous: true,
      properties: { hash_sha256: hash, hash_version: 202208 },
    });
    expect(asked.map(({ line }) => line.replace(azureScope, '').replace(/\?.*/, ''))).toEqual([
      `GET /codes/${hash}/versions/1`,
      `POST /codes/${hash}/versions/1/startPendingUpload`,
      `PUT /codes/${hash}/versions/1`,
      expect.stringMatching(/^PUT \/jobs\//) as string,
    ]);
    expect(asked[1]?.body).toEqual({ pendingUploadType: 'TemporaryBlobReference' });
    const files = await filesAt(String(code['codeUri']));
    expect(Object.fromEntries(files)).toEqual(
      Object.fromEntries(names.map((name) => [name, name === 'empty' ? '' : `content of ${name}`])),
    );
    expect(ofStorage.length).toBeGreaterThan(0);
    for (const { authorization } of ofStorage) expect(authorization).toBeUndefined();
  });

  test('that is there is neither uploaded nor registered again, whatever its folder is called', async () => {
    write('first/train.py', 'the same');
    write('second/train.py', 'the same');
    const first = await create({ code: 'first' });
    const second = await create({ code: `file:${join(folder.path, 'second')}` });
    expect(second).toMatchObject({ status: 0, stderr: '', ofStorage: [] });
    expect(second.job?.codeId).toBe(first.job?.codeId);
    expect(puts(second.asked.map(({ line }) => ({ method: line.split(' ')[0] ?? '' })))).toHaveLength(1);
    write('second/train.py', 'another');
    expect((await create({ code: 'second' })).job?.codeId).not.toBe(first.job?.codeId);
  });

  test('has the hash that Azure ML’s own client gives it', async () => {
    // What azure-ai-ml 1.35.2 says of this folder.
    write('hashed/Sub/b.txt', 'hello');
    write('hashed/Sub/skipme', 's\n');
    write('hashed/empty', '');
    write('hashed/ü #1%.txt', 'ü');
    write('hashed/sub2/A.py', 'x');
    write('hashed/B.py', 'y');
    write('hashed/a.py', 'z\n');
    write('hashed/x.log', 'l\n');
    write('hashed/keep.log', 'k\n');
    write('hashed/.amlignore', '*.log\nSub/skip*\n!keep.log\n');
    const { job } = await create({ code: 'hashed' });
    expect(versionAt(job?.codeId)['properties']).toMatchObject({
      hash_sha256: 'af2940e83dcc5891999a511c380334bbd90112fef58c29e0310b775cf810e719',
    });
  });

  test('leaves at home what its .amlignore names, else its .gitignore, and Git’s folder always', async () => {
    for (const name of ['train.py', 'data/big.bin', 'Data/small.bin', 'x.log', '.git/config'])
      write(`ignoring/${name}`, name);
    write('ignoring/.gitignore', 'data/\n# all logs\n*.log\n');
    const byGit = await create({ code: 'ignoring' });
    expect([...(await filesAt(String(versionAt(byGit.job?.codeId)['codeUri']))).keys()].sort()).toEqual([
      '.gitignore',
      'Data/small.bin',
      'train.py',
    ]);
    write('ignoring/.amlignore', '*ignore\n');
    const byAml = await create({ code: 'ignoring' });
    expect([...(await filesAt(String(versionAt(byAml.job?.codeId)['codeUri']))).keys()].sort()).toEqual([
      'Data/small.bin',
      'data/big.bin',
      'train.py',
      'x.log',
    ]);
  });

  test('may be one file', async () => {
    write('one file.py', 'print()');
    const { job } = await create({ code: 'one file.py' });
    expect(Object.fromEntries(await filesAt(String(versionAt(job?.codeId)['codeUri'])))).toEqual({
      'one file.py': 'print()',
    });
  });

  test('brings what its links lead to', async () => {
    write('linked/train.py', 'linked');
    write('elsewhere/lib/lib.py', 'a library');
    symlinkSync(join(folder.path, 'elsewhere/lib'), join(folder.path, 'linked/lib'));
    symlinkSync('train.py', join(folder.path, 'linked/main.py'));
    const { job } = await create({ code: 'linked' });
    expect(Object.fromEntries(await filesAt(String(versionAt(job?.codeId)['codeUri'])))).toEqual({
      'train.py': 'linked',
      'main.py': 'linked',
      'lib/lib.py': 'a library',
    });
  });

  test.each([
    ['a link to a folder that it lies in', () => symlinkSync('..', join(folder.path, 'bad/sub/up'))],
    ['bad/gone is a link to nothing', () => symlinkSync('nowhere', join(folder.path, 'bad/gone'))],
    ['bad has no files, or all of them are ignored', () => write('bad/.amlignore', '*\n')],
    ['there is no ', () => rmSync(join(folder.path, 'bad'), { recursive: true })],
    ['holds more than 1024 MiB; name what is not needed in .amlignore', () => run1025MiB('bad/big.bin')],
  ])('is refused with "%s", before anything is sent', async (reason, spoil) => {
    rmSync(join(folder.path, 'bad'), { recursive: true, force: true });
    write('bad/sub/train.py', 'x');
    spoil();
    const { status, stdout, stderr, asked } = await create({ code: 'bad' });
    expect([status, stdout, asked]).toEqual([2, '', []]);
    expect(stderr).toContain("The job's code: ");
    expect(stderr).toContain(reason);
  });

  test('that cannot be uploaded leads to no job, and the next try ends well', async () => {
    for (let index = 0; index < 20; index += 1) write(`broken/${index}.py`, `file ${index}`);
    azure.refuse = (method, url) => (method === 'PUT' && url.includes('/13.py') ? 403 : undefined);
    const failed = await create({ code: 'broken' });
    expect(failed).toMatchObject({ status: 1, stdout: '', job: undefined });
    expect(failed.asked.map(({ line }) => line).filter((line) => line.startsWith('PUT'))).toEqual([]);
    azure.refuse = () => undefined;
    const { status, job } = await create({ code: 'broken' });
    expect(status).toBe(0);
    expect(await filesAt(String(versionAt(job?.codeId)['codeUri']))).toHaveProperty('size', 20);
  });

  test('that changes while it is uploaded leads to no job', async () => {
    write('changing/a.py', 'a');
    write('changing/b.py', 'b');
    azure.refuse = (_, path) => {
      if (path.endsWith('/startPendingUpload')) write('changing/b.py', 'other');
      return undefined;
    };
    const changed = await create({ code: 'changing' });
    expect(changed).toMatchObject({ status: 1, stdout: '', job: undefined });
    expect(changed.stderr).toContain("changing/b.py' cannot be read, or has changed meanwhile");
  });

  test('goes through storage that fails now and then', async () => {
    for (let index = 0; index < 5; index += 1) write(`shaky/${index}.py`, `file ${index}`);
    let requests = 0;
    azure.refuse = (_, url) => (url.startsWith('/artifacts-') && (requests += 1) % 2 === 1 ? 503 : undefined);
    const { status, job } = await create({ code: 'shaky' });
    expect(status).toBe(0);
    expect(await filesAt(String(versionAt(job?.codeId)['codeUri']))).toHaveProperty('size', 5);
  });

  test('that somebody else registers meanwhile is taken as it is', async () => {
    write('raced/train.py', 'raced');
    azure.refuse = (method, path) => {
      if (method !== 'PUT' || !path.includes('/codes/')) return undefined;
      (azure.stored as Map<string, unknown>).set(path, { id: path, name: '1', properties: { codeUri: 'theirs' } });
      return 409;
    };
    const { status, job } = await create({ code: 'raced' });
    expect([status, versionAt(job?.codeId)['codeUri']]).toEqual([0, 'theirs']);
  });

  function run1025MiB(name: string): void {
    write(name, '');
    truncateSync(join(folder.path, name), 1025 * 1024 ** 2);
  }
});

describe('inputs of this machine', () => {
  test('are uploaded to the workspace’s blob store, and named there', async () => {
    write('data/iris 1.csv', 'a,b');
    write('data/deep/more.csv', 'c');
    write('net/MLmodel', 'flavors: {}');
    const inputs = {
      one: { type: 'uri_file', path: './data/iris 1.csv' },
      all: { path: 'data', mode: 'download' },
      model: { type: 'mlflow_model', path: 'net' },
    };
    const { status, job, asked, ofStorage } = await create({ inputs });
    expect(status).toBe(0);
    const at = (name: string) => job?.inputs[name]?.uri.replace(datastore, `${store}/`) ?? '';
    expect(job?.inputs).toEqual({
      one: {
        jobInputType: 'uri_file',
        uri: expect.stringMatching(/\/LocalUpload\/[0-9a-f]{64}\/iris 1\.csv$/) as string,
      },
      all: {
        jobInputType: 'uri_folder',
        uri: expect.stringMatching(/\/LocalUpload\/[0-9a-f]{64}\/data\/$/) as string,
        mode: 'Download',
      },
      model: {
        jobInputType: 'mlflow_model',
        uri: expect.stringMatching(/\/LocalUpload\/[0-9a-f]{64}\/net$/) as string,
      },
    });
    expect(Object.fromEntries(await filesAt(dirname(at('one'))))).toEqual({ 'iris 1.csv': 'a,b' });
    expect(Object.fromEntries(await filesAt(at('all')))).toEqual({ 'iris 1.csv': 'a,b', 'deep/more.csv': 'c' });
    expect(Object.fromEntries(await filesAt(at('model')))).toEqual({ MLmodel: 'flavors: {}' });
    expect(asked.find(({ line }) => line.includes('/listSecrets'))).toMatchObject({
      line: `POST ${azureScope}/datastores/workspaceblobstore/listSecrets?api-version=2025-12-01`,
      body: { expirableSecret: true },
    });
    for (const { authorization } of ofStorage) expect(authorization).toBeUndefined();

    const again = await create({ inputs });
    expect([again.status, again.job?.inputs]).toEqual([0, job?.inputs]);
    expect(puts(again.ofStorage)).toEqual([]);
  });

  test('go in parts where they are large', { timeout: 120_000 }, async () => {
    const large = randomBytes(100 * 1024 ** 2);
    write('large.bin', large);
    const { status, stderr, job, ofStorage } = await create({
      inputs: { data: { type: 'uri_file', path: 'large.bin' } },
    });
    expect(status).toBe(0);
    const blocks = ofStorage.filter(({ method, url }) => method === 'PUT' && url.includes('comp=block&'));
    expect(blocks).toHaveLength(25);
    const found = await azure.blobsIn('artifacts-1');
    const digest = (bytes: Buffer | undefined) =>
      createHash('sha256')
        .update(bytes ?? '')
        .digest('hex');
    expect(stderr).toContain('large.bin: 1 file, 104.9 MB; uploaded 104.9 MB');
    expect(digest(found.get(job?.inputs['data']?.uri.slice(datastore.length) ?? ''))).toBe(digest(large));
  });

  test('of which some have come are not sent again as a whole', async () => {
    for (let index = 0; index < 9; index += 1) write(`many/${index}`, `file ${index}`);
    azure.refuse = (method, url) => (method === 'PUT' && url.includes('/many/8') ? 403 : undefined);
    const inputs = { data: { path: 'many' } };
    const failed = await create({ inputs });
    expect(failed).toMatchObject({ status: 1, stdout: '', job: undefined });
    expect(failed.stderr).toContain("many/8' could not be uploaded: Refused");
    azure.refuse = () => undefined;
    const { status, job, ofStorage } = await create({ inputs });
    expect([status, puts(ofStorage)]).toMatchObject([0, [{ url: expect.stringContaining('/many/8') as string }]]);
    expect(await filesAt(job?.inputs['data']?.uri.replace(datastore, `${store}/`) ?? '')).toHaveProperty('size', 9);
  });

  test('that are registered are named by their ids', async () => {
    const { job, ofStorage } = await create({
      inputs: {
        version: { type: 'uri_folder', path: 'azureml:iris:3' },
        latest: { type: 'mltable', path: 'azureml:iris@latest' },
        model: { type: 'mlflow_model', path: 'azureml:net:2' },
        whole: { path: `azureml:${azureScope}/data/iris/versions/1` },
        web: { type: 'uri_file', path: 'https://example.org/iris.csv' },
      },
    });
    expect(Object.values(job?.inputs ?? {}).map(({ uri }) => uri)).toEqual([
      `${azureScope}/data/iris/versions/3`,
      `${azureScope}/data/iris/versions/12`,
      `${azureScope}/models/net/versions/2`,
      `${azureScope}/data/iris/versions/1`,
      'https://example.org/iris.csv',
    ]);
    expect(ofStorage).toEqual([]);
  });

  test('need a blob store that gives a signature', async () => {
    write('data/iris.csv', 'a,b');
    azure.datastore = { type: 'AzureBlob', secrets: 'None' };
    const unsigned = await create({ inputs: { data: { path: 'data' } } });
    expect(unsigned).toMatchObject({ status: 2, stdout: '', job: undefined });
    expect(unsigned.stderr).toContain(
      "The job's inputs.data.path: the datastore workspaceblobstore gives no signature to write with, but None",
    );
    azure.datastore = { type: 'AzureFile', secrets: 'Sas' };
    expect((await create({ inputs: { data: { path: 'data' } } })).stderr).toContain('is AzureFile and not AzureBlob');
  });
});

describe('an environment that the job describes', () => {
  const environments = `${azureScope}/environments/CliV2AnonymousEnvironment/versions/`;

  test('is registered without a name, the same one once', async () => {
    write('conda.yml', '# pinned\ndependencies: [python=3.12]\n');
    const image = 'mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04';
    const plain = await create({ environment: { image } });
    expect(plain.job?.environmentId).toMatch(new RegExp(`^${environments}[0-9a-f]{64}$`));
    expect(versionAt(plain.job?.environmentId)).toEqual({ image, isAnonymous: true, tags: {} });
    const described = { image, conda_file: 'conda.yml', description: 'About', os_type: 'linux', tags: { team: 'red' } };
    const conda = await create({ environment: described });
    expect(versionAt(conda.job?.environmentId)).toEqual({
      image,
      condaFile: '# pinned\ndependencies: [python=3.12]\n',
      description: 'About',
      osType: 'Linux',
      isAnonymous: true,
      tags: { team: 'red' },
    });
    expect((await create({ environment: described })).job?.environmentId).toBe(conda.job?.environmentId);
    const inline = await create({ environment: { image, conda_file: { dependencies: ['python=3.12'] } } });
    expect(versionAt(inline.job?.environmentId)['condaFile']).toBe('dependencies:\n  - python=3.12\n');
    const ids = [plain, conda, inline].map(({ job }) => job?.environmentId);
    expect(new Set(ids).size).toBe(3);
  });

  test('is built from a folder, which is uploaded', async () => {
    write('docker/Dockerfile', 'FROM scratch');
    write('docker/app/requirements.txt', 'mlflow');
    const { status, job } = await create({ environment: { build: { path: 'docker' } } });
    expect(status).toBe(0);
    const { build } = versionAt(job?.environmentId) as { build: { contextUri: string; dockerfilePath: string } };
    expect(build).toEqual({
      contextUri: expect.stringMatching(new RegExp(`^${store}/LocalUpload/[0-9a-f]{64}/docker/$`)) as string,
      dockerfilePath: 'Dockerfile',
    });
    expect(Object.fromEntries(await filesAt(build.contextUri))).toEqual({
      Dockerfile: 'FROM scratch',
      'app/requirements.txt': 'mlflow',
    });
    const remote = await create({
      environment: { build: { path: 'https://github.com/a/b#main', dockerfile_path: 'x/D' } },
    });
    expect(versionAt(remote.job?.environmentId)['build']).toEqual({
      contextUri: 'https://github.com/a/b#main',
      dockerfilePath: 'x/D',
    });
  });

  test('of Azure is named as the service knows it', async () => {
    const named = await create({ environment: 'azureml:AzureML-sklearn-1.5@latest' });
    expect(named.job?.environmentId).toBe('azureml:AzureML-sklearn-1.5@latest');
    const ofRegistry = 'azureml://registries/azureml/environments/sklearn-1.5/versions/9';
    expect((await create({ environment: ofRegistry })).job?.environmentId).toBe(ofRegistry);
  });
});

test.each([
  [{ compute: 'local' }, 'the address is of Azure'],
  [{ environment: undefined }, "The job's environment: Azure ML needs one"],
  [{ environment: {} }, 'environment: it needs an image or a build, and not both'],
  [{ environment: { image: 'a', build: { path: '.' } } }, 'environment: it needs an image or a build, and not both'],
  [{ environment: { image: 'a', name: 'mine' } }, 'environment.name: what is described in a job has none'],
  [{ environment: { image: 'a', inference_config: {} } }, 'environment.inference_config: this field is not known'],
  [{ environment: { dependencies: [] } }, 'environment.dependencies: it belongs into conda_file'],
  [{ environment: { image: 'a', conda_file: 'gone.yml' } }, 'environment.conda_file: '],
  [{ environment: { image: 'a', conda_file: 'a-list.yml' } }, 'must have fields such as dependencies'],
  [{ environment: { image: 'a', os_type: 'plan9' } }, 'environment.os_type: "plan9" must be linux or windows'],
  [{ environment: { build: { path: 'no-docker' } } }, 'must be a folder with a file Dockerfile'],
  [{ environment: { build: {} } }, 'environment.build.path: '],
  [{ environment: 'azureml:a' }, 'must be azureml:name:version'],
  [{ code: 'git+https://example.org/a.git' }, 'code: "git+https://example.org/a.git" must be a file or folder'],
  [{ inputs: { d: { path: './gone' } } }, "The job's inputs.d.path: there is no "],
  [{ inputs: { d: { path: 'a-list.yml' } } }, 'is a file, and the type is uri_folder'],
  [{ inputs: { d: { type: 'uri_file', path: 'no-docker' } } }, 'is a folder, and the type is uri_file'],
  [{ inputs: { d: { path: 's3://bucket/data' } } }, 'must be a file or folder of this machine, or an address'],
  [{ inputs: { d: { path: 'no-docker', mode: 'fast' } } }, 'inputs.d.mode: "fast" must be one of'],
])('%j is refused before anything is sent', async (fields, reason) => {
  write('a-list.yml', '[1]');
  write('no-docker/x', 'x');
  write('sent/train.py', 'code that would be sent');
  const { status, stdout, stderr, asked } = await create({ code: 'sent', ...fields });
  expect([status, stdout, asked]).toEqual([2, '', []]);
  expect(stderr).toContain(reason);
});
