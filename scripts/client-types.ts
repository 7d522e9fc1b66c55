import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { format } from 'prettier';
import ts from 'typescript';

/**
 * Writes the declarations of the client's package to `packages/client/dist/types`. The package stands alone, so the types of
 * the contract are written out: what schemas say becomes plain object types in `contract.d.ts`, in the names that the
 * client's declarations import from `@lazuli/contract`.
 */
const root = join(import.meta.dirname, '..');
const source = join(root, 'packages/client/src');
const out = join(root, 'packages/client/dist/types');

const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
  config: object;
};
const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root);

/** What the flat declarations are read from. */
const probeName = join(source, 'flat-contract-probe.ts');
const entities = [
  'Experiment',
  'FileInfo',
  'LoggedModel',
  'Metric',
  'ModelVersion',
  'Param',
  'Run',
  'RunInfo',
  'RunTag',
];
const probe = `
import type { Contract as C, Endpoint, InputOf, OutputOf, Int64 as I, ${entities.map((name) => `${name} as ${name}_`).join(', ')} } from '@lazuli/contract';
export type Int64 = I;
export type Contract = { readonly [G in keyof C]: { readonly [N in keyof C[G]]: C[G][N] extends Endpoint ? { readonly input: InputOf<C[G][N]>; readonly output: OutputOf<C[G][N]> } : never } };
${entities.map((name) => `export type ${name} = ${name}_;`).join('\n')}
`;

const host = ts.createCompilerHost(options);
const readSource = host.getSourceFile.bind(host);
host.getSourceFile = (name, languageVersion, ...rest) =>
  name === probeName ? ts.createSourceFile(name, probe, languageVersion) : readSource(name, languageVersion, ...rest);
const hasFile = host.fileExists.bind(host);
host.fileExists = (name) => name === probeName || hasFile(name);

const entries = ['index.ts', 'browser.ts', 'azure.ts', 'databricks.ts', 'credentials/node-forge.d.ts'].map((name) =>
  join(source, name),
);
const program = ts.createProgram(
  // As a root of its own, or what is found by its package's name would not be emitted.
  [join(root, 'packages/contract/src/errors.ts'), ...entries, probeName],
  { ...options, noEmit: false, declaration: true, emitDeclarationOnly: true },
  host,
);
const problems = ts.getPreEmitDiagnostics(program);
if (problems.length > 0) {
  throw new Error(ts.formatDiagnostics(problems, { ...host, getNewLine: () => '\n' }));
}

await rm(out, { recursive: true, force: true });
const files = new Map<string, string>();
program.emit(undefined, (name, text) => {
  const own = relative(source, name);
  const ofContract = relative(join(root, 'packages/contract/src'), name);
  if (name.startsWith(source) && own !== 'flat-contract-probe.d.ts') files.set(own, text);
  else if (ofContract === 'errors.d.ts') files.set('contract-errors.d.ts', text);
});
files.set('contract.d.ts', await format(flatContract(), { parser: 'typescript' }));
for (const [name, text] of files) {
  const up = relative(dirname(name), '.') || '.';
  const contract = `'${up.startsWith('.') ? up : `./${up}`}/contract.js'`;
  const rewritten = text
    .replaceAll(/(from |import\()(['"])(\.[^'"]*)\.ts\2/g, "$1'$3.js'")
    .replaceAll(/(['"])@lazuli\/contract\1/g, contract)
    // TypeScript before 5.7 knows no kinds of Uint8Array, and what is read with types of Node before 24 is a Buffer of any kind.
    .replaceAll('Uint8Array<ArrayBuffer>', 'Uint8Array');
  await mkdir(dirname(join(out, name)), { recursive: true });
  // A program for browsers has seldom said that it knows of `await using`.
  const library = text.includes('AsyncDisposable') ? '/// <reference lib="esnext.disposable" />\n' : '';
  await writeFile(join(out, name), library + rewritten);
}
console.log(`${files.size} declaration files`);

function flatContract(): string {
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(probeName);
  if (file === undefined) throw new Error('The probe was not read.');
  const flags: ts.TypeFormatFlags = ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.InTypeAlias;
  const aliases = file.statements.filter(ts.isTypeAliasDeclaration).map((statement) => {
    const text = checker.typeToString(checker.getTypeAtLocation(statement.name), undefined, flags);
    return `export type ${statement.name.text} = ${text};`;
  });
  return `/** The wire of MLflow's tracking API as plain types. */
export { MlflowError } from './contract-errors.js';
export type { ErrorCode, MlflowErrorOptions } from './contract-errors.js';
export interface Endpoint { readonly input: unknown; readonly output: unknown }
export type InputOf<E extends Endpoint> = E['input'];
export type OutputOf<E extends Endpoint> = E['output'];
${aliases.join('\n')}
`;
}
