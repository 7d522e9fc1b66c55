import { keyTable, nullTests, numericOperators, textOperators, type Vocabulary } from './vocabulary.ts';

export type ExperimentEntity = 'attribute' | 'tag';

const attributes = keyTable([
  { name: 'name', type: 'text', operators: textOperators },
  { name: 'experiment_id', type: 'text', operators: ['=', '!=', 'IN', 'NOT IN'] },
  { name: 'creation_time', type: 'number', operators: numericOperators },
  { name: 'last_update_time', type: 'number', operators: numericOperators },
]);

export const experimentVocabulary: Vocabulary<ExperimentEntity> = {
  bare: 'attribute',
  entities: [
    {
      name: 'attribute',
      spellings: ['attribute'],
      keys: attributes,
      wrongValue: (key, found) =>
        attributes.get(key)?.type === 'number'
          ? `Expected numeric value type for numeric attribute: ${key}. Found ${found}`
          : `Expected a quoted string value for attributes. Got value ${found}`,
      wrongOperator: (key, operator) =>
        key === 'experiment_id' ? `Invalid comparator for experiment_id: ${operator}` : undefined,
    },
    {
      name: 'tag',
      spellings: ['tag', 'tags'],
      keys: { type: 'text', operators: [...textOperators, ...nullTests], isUnordered: true },
      wrongValue: (_key, found) => `Expected a quoted string value for tag (e.g. 'my-value'). Got value ${found}`,
      wrongOperator: (_key, operator) => `Invalid comparator for tag: ${operator}`,
    },
  ],
  wrongEntity: (found) => `Invalid entity type '${found}'. Valid entity types are ('attribute', 'tag', 'tags')`,
  wrongNullTest: (entity, key) => `IS NULL / IS NOT NULL is only supported for tags, not for ${entity} '${key}'`,
  wrongOrderEntity: (entity) => `Invalid order_by entity: ${entity}`,
};
