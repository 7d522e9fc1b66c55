import { OAuthError } from './oauth-error.ts';

/** The fields of a form or a query. *RFC 6749, 3.1: a parameter without a value counts as absent, and none comes twice.* */
export interface Fields {
  get(name: string): string | undefined;
  require(name: string): string;
}

export function fieldsOf(parameters: URLSearchParams): Fields {
  function get(name: string): string | undefined {
    const [value, ...others] = parameters.getAll(name);
    if (others.length > 0) throw new OAuthError('malformed', `The parameter '${name}' comes more than once.`);
    // *PostgreSQL stores no NUL*, and nobody has one in a name.
    if (value?.includes('\0') === true)
      throw new OAuthError('malformed', `The parameter '${name}' holds a NUL character.`);
    return value === undefined || value === '' ? undefined : value;
  }
  return {
    get,
    require(name) {
      const value = get(name);
      if (value !== undefined) return value;
      throw new OAuthError('missing_parameter', `The request must contain the parameter '${name}'.`);
    },
  };
}
