import { errorAt, quoted } from './syntax-error.ts';

/**
 * The words of a filter or of an order_by clause. One pass from left to right, no look-back, so that the time grows with
 * the length of the text and with nothing else.
 *
 * A name is what stands left of an operator: `accuracy`, `metrics.accuracy`, ``metrics.`val/loss` ``, `"run name"`. Its first
 * dot parts the entity from the key; a quoted key may hold anything. Inside quotes a doubled quote stands for one;
 * a backslash is an ordinary character, as it is in MLflow. Keywords are names without a dot: the parser tells them apart by place.
 */
export interface Token {
  readonly kind: 'name' | 'text' | 'number' | 'operator' | 'open' | 'close' | 'comma' | 'other' | 'end';
  /** As the caller wrote it. */
  readonly raw: string;
  readonly start: number;
  readonly end: number;
  /** Of a name: what stands before the first dot, quotes taken off where they were backticks. */
  readonly entity?: string;
  /** Of a name: its key. Of a text: what stands between the quotes. */
  readonly value: string;
  /** Whether any part was quoted: quoted words are never keywords. */
  readonly isQuoted: boolean;
}

const numberShape = /^-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    if (isBlank(text, at)) {
      at += 1;
      continue;
    }
    const token = readToken(text, at);
    tokens.push(token);
    at = token.end;
  }
  tokens.push({ kind: 'end', raw: '', start: text.length, end: text.length, value: '', isQuoted: false });
  return tokens;
}

function readToken(text: string, start: number): Token {
  const first = text[start] ?? '';
  if (first === '(') return plain(text, 'open', start, start + 1);
  if (first === ')') return plain(text, 'close', start, start + 1);
  if (first === ',') return plain(text, 'comma', start, start + 1);
  if (first === "'") return readText(text, start);
  if (first === '"') {
    const token = readText(text, start);
    return text[token.end] === '.' ? readKey(text, start, token.end, token.raw) : token;
  }
  if (first === '`') {
    const { value, end } = readQuoted(text, start);
    if (text[end] === '.') return readKey(text, start, end, value);
    return { kind: 'name', raw: text.slice(start, end), start, end, value, isQuoted: true };
  }
  if (startsNumber(text, start)) return readNumber(text, start);
  if (wordLength(text, start) > 0) return readName(text, start);
  if (isComparison(first)) {
    let end = start + 1;
    while (end < text.length && isComparison(text[end] ?? '')) end += 1;
    return plain(text, 'operator', start, end);
  }
  return plain(text, 'other', start, start + ((text.codePointAt(start) ?? 0) > 0xffff ? 2 : 1));
}

function plain(text: string, kind: Token['kind'], start: number, end: number): Token {
  const raw = text.slice(start, end);
  return { kind, raw, start, end, value: raw, isQuoted: false };
}

function readText(text: string, start: number): Token {
  const { value, end } = readQuoted(text, start);
  return { kind: 'text', raw: text.slice(start, end), start, end, value, isQuoted: true };
}

function readName(text: string, start: number): Token {
  const end = endOfWord(text, start);
  if (text[end] === '.') return readKey(text, start, end, text.slice(start, end));
  return plain(text, 'name', start, end);
}

/** The key after the dot that parts it from its entity: quoted, or words and dots. */
function readKey(text: string, start: number, dot: number, entity: string): Token {
  const first = text[dot + 1] ?? '';
  if (first === '`' || first === '"' || first === "'") {
    const { value, end } = readQuoted(text, dot + 1);
    return { kind: 'name', raw: text.slice(start, end), start, end, entity, value, isQuoted: true };
  }
  let end = endOfWord(text, dot + 1);
  while (text[end] === '.' && wordLength(text, end + 1) > 0) end = endOfWord(text, end + 1);
  if (end === dot + 1)
    throw errorAt(text, dot + 1, `Invalid clause(s) in filter string: '${quoted(entity)}.' needs a key after the dot`);
  const raw = text.slice(start, end);
  return { kind: 'name', raw, start, end, entity, value: text.slice(dot + 1, end), isQuoted: false };
}

function readQuoted(text: string, start: number): { value: string; end: number } {
  const quote = text[start] ?? '';
  const pieces: string[] = [];
  let from = start + 1;
  for (;;) {
    const at = text.indexOf(quote, from);
    if (at === -1) throw errorAt(text, start, `Invalid clause(s) in filter string: the quote ${quote} is never closed`);
    if (text[at + 1] !== quote) {
      pieces.push(text.slice(from, at));
      return { value: pieces.join(''), end: at + 1 };
    }
    pieces.push(text.slice(from, at + 1));
    from = at + 2;
  }
}

/** A number; what begins like one and is none (`1_0`, `0x1`) becomes a name, which no numeric key accepts as a value. */
function readNumber(text: string, start: number): Token {
  let end = start + 1;
  while (end < text.length) {
    const sign = text[end] === '+' || text[end] === '-';
    if (sign ? !/[eE]/.test(text[end - 1] ?? '') : text[end] !== '.' && wordLength(text, end) === 0) break;
    end += sign || text[end] === '.' ? 1 : wordLength(text, end);
  }
  return plain(text, numberShape.test(text.slice(start, end)) ? 'number' : 'name', start, end);
}

function startsNumber(text: string, at: number): boolean {
  const digits = text[at] === '-' ? at + 1 : at;
  return isDigit(text[digits]) || (text[digits] === '.' && isDigit(text[digits + 1]));
}

function isDigit(character: string | undefined): boolean {
  return character !== undefined && character >= '0' && character <= '9';
}

function endOfWord(text: string, start: number): number {
  let end = start;
  for (let length = wordLength(text, end); length > 0; length = wordLength(text, end)) end += length;
  return end;
}

/** How many code units the letter, digit or underscore at this place takes; 0 where another character stands. */
function wordLength(text: string, at: number): number {
  const code = text.codePointAt(at);
  if (code === undefined) return 0;
  const character = String.fromCodePoint(code);
  return /[\p{L}\p{M}\p{N}_]/u.test(character) ? character.length : 0;
}

function isComparison(character: string): boolean {
  return character === '=' || character === '<' || character === '>' || character === '!' || character === '~';
}

function isBlank(text: string, at: number): boolean {
  return /\s/.test(text[at] ?? '');
}
