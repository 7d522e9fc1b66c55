import { expect, test } from 'vitest';
import { readOptions, UsageError } from './options.ts';
import type { Options } from './options.ts';
import type { Workload } from './workloads/workload.ts';

const workloads = ['W2', 'W4', 'W4d', 'W7'].map((id): Workload => ({
  id,
  title: id,
  seeds: 'nothing',
  run: () => Promise.reject(new Error('nothing is measured here')),
}));

function read(...args: readonly string[]): Options {
  const options = readOptions(args, workloads);
  if (options === 'help') throw new Error('there was no --help');
  return options;
}

function selection(...args: readonly string[]): string[] {
  return read(...args).selected.map(({ id }) => id);
}

test('all workloads run on one process on SQLite unless something else is said', () => {
  const { engine, processes } = read();
  expect({ engine, processes }).toEqual({ engine: 'sqlite', processes: 1 });
  expect(selection()).toEqual(['W2', 'W4', 'W4d', 'W7']);
});

test('workloads are named in any case of letters and run in their own order', () => {
  expect(selection('w7', 'w4D')).toEqual(['W4d', 'W7']);
  expect(selection('W4')).toEqual(['W4']);
});

test('W2p is W2 on PostgreSQL, and nothing on SQLite', () => {
  expect(selection('W2p', '--engine', 'postgres')).toEqual(['W2']);
  expect(selection('W2', '--engine', 'postgres')).toEqual(['W2']);
  expect(() => read('W2p')).toThrow('there is no workload W2p on sqlite');
});

test('access control is off unless it is asked for, and only for a server that the bench starts', () => {
  expect(read().auth).toBe('none');
  expect(read('--auth', 'token').auth).toBe('token');
  expect(() => read('--auth', 'entra')).toThrow('--auth entra is not one of none, token');
  expect(() => read('--auth', 'token', '--url', 'http://127.0.0.1:5000')).toThrow('--url names one that runs');
});

test('several processes share a PostgreSQL that the bench starts', () => {
  expect(read('--engine', 'postgres', '--processes', '3').processes).toBe(3);
});

test.each([
  [['--processes', '2'], 'one process owns a SQLite database'],
  [['--engine', 'postgres', '--processes', '2', '--url', 'http://127.0.0.1:5000'], '--url names one that runs'],
  [['--engine', 'postgres', '--processes', '1.5'], '--processes 1.5 is not a whole number'],
  [['--engine', 'postgres', '--processes', '0'], '--processes 0 is not a positive number'],
  [['--engine', 'mysql'], '--engine mysql is not one that the bench can start: sqlite, postgres'],
  [['--url', 'https://tracking.example.org'], 'is not an http: URL'],
  [['--url', 'localhost'], 'is not an http: URL'],
  [['--scale', 'big'], '--scale big is not a positive number'],
  [['--unknown'], '--unknown'],
  [['W99'], 'there is no workload W99 on sqlite'],
] as const)('%j is refused as a mistake', (args, message) => {
  expect(() => read(...args)).toThrow(UsageError);
  expect(() => read(...args)).toThrow(message);
});
