import { keyTable, numericOperators, textOperators, type KeyRule, type Vocabulary } from './vocabulary.ts';

export type LoggedModelEntity = 'attributes' | 'metrics' | 'params' | 'tags';

const text = (name: string, aliases: readonly string[] = []) =>
  ({ name, type: 'text', operators: textOperators, takesNumbers: true, aliases }) as const;
const time = (name: string, aliases: readonly string[]) =>
  ({ name, type: 'number', operators: numericOperators, aliases }) as const;

/** *MLflow takes the names of its columns beside those of the wire.* */
export const loggedModelAttributes: ReadonlyMap<string, KeyRule> = keyTable([
  text('name'),
  text('model_id'),
  text('model_type'),
  text('status'),
  text('source_run_id'),
  text('artifact_uri', ['artifact_location']),
  text('lifecycle_stage'),
  { ...text('experiment_id'), operators: ['=', '!=', 'IN', 'NOT IN'] },
  time('creation_timestamp_ms', ['creation_timestamp', 'creation_time']),
  time('last_updated_timestamp_ms', ['last_updated_timestamp']),
]);

const expected = (operators: readonly string[]) => operators.map((operator) => `'${operator}'`).join(', ');
const wrongOperator =
  (entity: LoggedModelEntity, operatorsOf: (key: string) => readonly string[]) => (key: string, operator: string) =>
    `Invalid comparison operator for ${entity}.${key}: '${operator}'. Expected one of (${expected(operatorsOf(key))}).`;

const wrongText = (_key: string, found: string) => `Expected a quoted string value. Got value ${found}`;
const wrongNumber = (_key: string, found: string) => `Expected a numeric value. Got value ${found}`;

const ofText = (name: 'params' | 'tags') => ({
  name,
  spellings: [name],
  keys: { type: 'text', operators: textOperators, takesNumbers: true } as const,
  wrongValue: wrongText,
  wrongOperator: wrongOperator(name, () => textOperators),
});

export const loggedModelVocabulary: Vocabulary<LoggedModelEntity> = {
  bare: 'attributes',
  entities: [
    {
      name: 'attributes',
      spellings: ['attributes'],
      keys: loggedModelAttributes,
      wrongValue: (key, found) =>
        loggedModelAttributes.get(key)?.type === 'number' ? wrongNumber(key, found) : wrongText(key, found),
      wrongOperator: wrongOperator('attributes', (key) => loggedModelAttributes.get(key)?.operators ?? []),
    },
    {
      name: 'metrics',
      spellings: ['metrics'],
      keys: { type: 'number', operators: numericOperators },
      wrongValue: wrongNumber,
      wrongOperator: wrongOperator('metrics', () => ['<', '<=', '>', '>=', '=', '!=']),
    },
    ofText('params'),
    ofText('tags'),
  ],
  wrongEntity: (found) =>
    `Invalid entity type: '${found}'. Expected one of ['attributes', 'metrics', 'params', 'tags'].`,
  wrongNullTest: (entity, key) => `IS NULL / IS NOT NULL is not supported for ${entity}.${key}`,
  wrongOrderEntity: (entity) => `Invalid order by field name: ${entity}. Only metrics are supported.`,
};
