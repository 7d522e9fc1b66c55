import { describe, expect, test } from 'vitest';
import type { ActingFor } from '../access/acting-for.ts';
import { createBlobCapabilities } from './blob-capability.ts';

const place = { workspaceGuid: '11111111-1111-4111-8111-111111111111', path: 'ExperimentRun/dcid.1/a.txt' };

describe('what a signed URL is good for', () => {
  let time = Date.UTC(2030, 0, 1);
  const actingFor: ActingFor = { objectId: 'o', name: 'ann', kind: 'User', groups: ['g'] };
  const capabilities = createBlobCapabilities('a key', () => time);
  const verify = (query: string) => capabilities.verify(place, 'r', new URLSearchParams(query));

  test('ends twelve hours after it was asked for, and not before', () => {
    const query = capabilities.sign(place, 'r', actingFor);
    time += 12 * 60 * 60 * 1000 - 1;
    expect(verify(query).actingFor).toEqual(actingFor);
    time += 1;
    expect(() => verify(query)).toThrow('The URL has expired; ask for another one.');
  });
});
