import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * What people copy out of the guide is what is tried here. Only what differs from place to place is replaced: addresses,
 * files and passwords. A replacement whose text is not there any more is an error, so that guide and trial stay together.
 */
const guide = join(import.meta.dirname, '../../docs/guides/postgresql.md');

/** The code block of a language that contains `mark`, with texts replaced. */
export async function blockOfGuide(
  language: string,
  mark: string,
  replacements: Readonly<Record<string, string>>,
): Promise<string> {
  const text = await readFile(guide, 'utf8');
  const blocks = [...text.matchAll(/^```(\S+)\n([^]*?)^```$/gm)].filter(([, kind]) => kind === language);
  const found = blocks.map(([, , content = '']) => content).filter((content) => content.includes(mark));
  const [block] = found;
  if (block === undefined || found.length > 1) {
    throw new Error(`The guide has ${found.length} blocks of ${language} with ${JSON.stringify(mark)}.`);
  }
  let result = block;
  for (const [from, to] of Object.entries(replacements)) {
    if (!result.includes(from)) throw new Error(`${JSON.stringify(from)} is not in the guide's block.`);
    result = result.replaceAll(from, to);
  }
  return result;
}
