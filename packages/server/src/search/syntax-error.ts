import { invalidParameter, type MlflowError } from '@lazuli/contract';

const shownBefore = 50;
const shownAfter = 30;

/**
 * An error about one place of a text that a caller wrote: what is wrong, the 1-based position in characters, the text, and
 * a caret under the place. Of a long text only the neighbourhood is shown.
 */
export function errorAt(text: string, index: number, message: string): MlflowError {
  const characters = Array.from(text.slice(Math.max(0, index - 2 * shownBefore), index + 2 * shownAfter));
  const ahead = Array.from(text.slice(Math.max(0, index - 2 * shownBefore), index)).length;
  const from = Math.max(0, ahead - shownBefore);
  const to = Math.min(characters.length, ahead + shownAfter);
  const cutBefore = from > 0 || index > 2 * shownBefore;
  const cutAfter = to < characters.length || index + 2 * shownAfter < text.length;
  const excerpt = characters.slice(from, to).map(printable).join('');
  const line = `${cutBefore ? '…' : ''}${excerpt}${cutAfter ? '…' : ''}`;
  const caret = `${' '.repeat(ahead - from + (cutBefore ? 1 : 0))}^`;
  return invalidParameter(`${message} (position ${positionOf(text, index)})\n  ${line}\n  ${caret}`);
}

function positionOf(text: string, index: number): number {
  let position = 1;
  for (const character of text) {
    if (index <= 0) break;
    index -= character.length;
    position += 1;
  }
  return position;
}

/** Line breaks and controls would move the caret away from its place. */
function printable(character: string): string {
  return /[\p{Cc}\p{Zl}\p{Zp}]/u.test(character) ? ' ' : character;
}

/** A piece of the caller's text as a message shows it: bounded. */
export function quoted(piece: string): string {
  return piece.length > 200 ? `${piece.slice(0, 200)}…` : piece;
}
