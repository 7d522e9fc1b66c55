import {
  keyTable,
  nullTests,
  numericOperators,
  textOperators,
  type Entity,
  type KeyRule,
  type Vocabulary,
} from './vocabulary.ts';

export type RunEntity = 'attribute' | 'metric' | 'parameter' | 'tag' | 'dataset';

const text = (name: string, aliases: readonly string[] = []) =>
  ({ name, type: 'text', operators: textOperators, aliases }) as const;
const time = (name: string, aliases: readonly string[] = []) =>
  ({ name, type: 'number', operators: numericOperators, aliases }) as const;

const attributes = keyTable([
  text('run_id'),
  text('run_name', ['run name', 'Run name', 'Run Name']),
  text('user_id'),
  text('status'),
  text('artifact_uri'),
  time('start_time', ['created', 'Created']),
  { ...time('end_time'), operators: [...numericOperators, ...nullTests] },
]);

const datasetKey = (name: string): KeyRule => ({ name, type: 'text', operators: textOperators, isUnordered: true });

function textEntity(name: 'parameter' | 'tag', spellings: readonly string[]): Entity<RunEntity> {
  return {
    name,
    spellings,
    keys: { type: 'text', operators: [...textOperators, ...nullTests] },
    wrongValue: (_key, found) => `Expected a quoted string value for ${name} (e.g. 'my-value'). Got value ${found}`,
  };
}

export const runVocabulary: Vocabulary<RunEntity> = {
  bare: 'attribute',
  entities: [
    {
      name: 'metric',
      spellings: ['metric', 'metrics'],
      keys: { type: 'number', operators: [...numericOperators, ...nullTests] },
      wrongValue: (_key, found) => `Expected numeric value type for metric. Found ${found}`,
    },
    textEntity('parameter', ['parameter', 'parameters', 'param', 'params']),
    textEntity('tag', ['tag', 'tags']),
    {
      name: 'attribute',
      spellings: ['attribute', 'attributes', 'attr', 'run'],
      keys: attributes,
      wrongValue: (key, found) =>
        attributes.get(key)?.type === 'number'
          ? `Expected numeric value type for numeric attribute: ${key}. Found ${found}`
          : `Expected a quoted string value for attributes. Got value ${found}`,
    },
    {
      name: 'dataset',
      spellings: ['dataset', 'datasets'],
      keys: keyTable(['name', 'digest', 'context'].map(datasetKey)),
      wrongValue: (_key, found) => `Expected a quoted string value for dataset attributes. Got value ${found}`,
    },
  ],
  wrongEntity: (found) =>
    `Invalid entity type '${found}'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']`,
  wrongNullTest: (entity, key) =>
    `IS NULL / IS NOT NULL is only supported for tags and params, not for '${entity}' '${key}'`,
  wrongOrderEntity: (entity) => `Invalid identifier type '${entity}'`,
};
