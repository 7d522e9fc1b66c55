import { keyTable, nullTests, numericOperators, textOperators, type Vocabulary } from './vocabulary.ts';

/** What searches of the model registry may speak of. */
export type ModelEntity = 'attribute' | 'tag';

function vocabularyOf(attributes: ReturnType<typeof keyTable>): Vocabulary<ModelEntity> {
  return {
    bare: 'attribute',
    entities: [
      {
        name: 'attribute',
        spellings: ['attribute'],
        keys: attributes,
        wrongValue: (key, found) =>
          attributes.get(key)?.type === 'number'
            ? `Invalid value for numeric attribute '${key}': ${found}`
            : `Expected a quoted string value or a list of quoted string values for attributes. Got value ${found}`,
        wrongOperator: (key, operator) => `Invalid comparator for attribute ${key}: ${operator}`,
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
}

export const modelVocabulary = vocabularyOf(
  keyTable([
    { name: 'name', type: 'text', operators: textOperators },
    // *MLflow orders by both names and means the update by either.*
    { name: 'last_updated_timestamp', aliases: ['timestamp'], type: 'number', operators: numericOperators },
    { name: 'creation_timestamp', type: 'number', operators: numericOperators },
  ]),
);

export const versionVocabulary = vocabularyOf(
  keyTable([
    { name: 'name', type: 'text', operators: textOperators },
    { name: 'version_number', type: 'number', operators: numericOperators },
    { name: 'run_id', type: 'text', operators: textOperators },
    { name: 'source_path', type: 'text', operators: textOperators },
    { name: 'creation_timestamp', type: 'number', operators: numericOperators },
    { name: 'last_updated_timestamp', type: 'number', operators: numericOperators },
  ]),
);
