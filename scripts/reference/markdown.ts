/** Markdown as the reference pages use it. */

export const generatedNote = '<!-- Written by `npm run generate`; do not edit. -->';

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cellText).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function cellText(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

export function code(text: string): string {
  return `\`${text}\``;
}

/** A page from its blocks, with a blank line between them. */
export function page(title: string, ...blocks: readonly string[]): string {
  return `${[generatedNote, `# ${title}`, ...blocks].join('\n\n')}\n`;
}
