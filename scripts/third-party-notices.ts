import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The notices of what others wrote and a bundle holds: each package with its version, its licence and the text that its
 * licence wants to go with every copy; of one that ships no such text, its licence's name and its maker.
 */
interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly license?: string;
  readonly author?: string | { readonly name?: string };
}

export async function thirdPartyNotices(modules: Iterable<string>): Promise<string> {
  const folders = new Set<string>();
  for (const id of modules) {
    const folder = packageOf(id);
    if (folder !== undefined) folders.add(folder);
  }
  const packagesOf = new Map<string, string[]>();
  for (const folder of [...folders].sort()) {
    const { name = '', version = '', license = '', author } = await manifestIn(folder);
    if (license === '') throw new Error(`${name}@${version} does not say under which licence it is.`);
    const maker = typeof author === 'string' ? author : author?.name;
    const text = (await licenceIn(folder)) ?? `Licence: ${license}.${maker === undefined ? '' : ` By ${maker}.`}`;
    packagesOf.set(text, [...(packagesOf.get(text) ?? []), `${name} ${version} (${license})`]);
  }
  const notices = [...packagesOf].map(([text, packages]) => `${[...new Set(packages)].join('\n')}\n\n${text}`);
  const head = 'This package holds code of others, each under the licence that follows its name.';
  return `${[head, ...notices].join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}

/** The folder of the installed package that a module belongs to. */
function packageOf(module: string): string | undefined {
  const path = module.replace(/^\0/, '').replace(/\?.*$/, '');
  const [, folder] = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path) ?? [];
  return folder !== undefined && existsSync(join(folder, 'package.json')) ? folder : undefined;
}

async function manifestIn(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest;
}

async function licenceIn(folder: string): Promise<string | undefined> {
  const names = (await readdir(folder, { withFileTypes: true }))
    .filter((entry) => entry.isFile() && /^(?:licen[cs]e|copying|notice)/i.test(entry.name))
    .map(({ name }) => name)
    .sort();
  if (names.length === 0) return undefined;
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return texts.map((text) => text.trim()).join('\n\n');
}
