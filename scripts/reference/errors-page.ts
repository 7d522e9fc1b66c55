import { errorCodes, type ErrorCode } from '@lazuli/contract';
import { code, page, table } from './markdown.ts';

/** When the server answers with a code; a new code does not compile without its sentence. */
const occasions: Readonly<Record<ErrorCode, string>> = {
  INVALID_PARAMETER_VALUE:
    'A field is missing, has the wrong type, breaks a limit or a rule; a filter cannot be read; a param was to change its value.',
  BAD_REQUEST:
    'The request as a whole cannot be taken: a body that is too large (413), a method that the path does not have (405).',
  RESOURCE_ALREADY_EXISTS: 'The name of an experiment or workspace is taken, by a deleted one too.',
  INVALID_STATE:
    'What is asked does not fit the state: renaming a deleted experiment, deleting a workspace that is not empty.',
  FEATURE_DISABLED: 'Known from other MLflow servers; this one has no feature that is switched off.',
  UNAUTHENTICATED:
    'No API token where one is needed, or one that is unknown, revoked or expired; `WWW-Authenticate` is sent.',
  PERMISSION_DENIED: 'No role of the caller allows one of the actions of the endpoint in this workspace.',
  RESOURCE_DOES_NOT_EXIST: 'No experiment, run, tag, file or workspace of this name is there for the caller.',
  ENDPOINT_NOT_FOUND:
    'No endpoint of this server has this path: routes of MLflow that are not served yet answer this, too.',
  RESOURCE_CONFLICT: 'Known from other MLflow servers; clients may meet it there.',
  REQUEST_LIMIT_EXCEEDED: 'Known from other MLflow servers, which limit rates; this one does not.',
  INTERNAL_ERROR:
    'A defect of the server. The message has the number of the request, under which the log has the cause.',
  NOT_IMPLEMENTED: 'The request asks for something that this server knows but does not do.',
  TEMPORARILY_UNAVAILABLE:
    'The disk is full, the database cannot be written or the server is stopping; `Retry-After` is sent, and clients try again.',
};

const intro = `Every failure of an endpoint is a JSON object with \`error_code\` and \`message\`, and for codes that have a class, \`sqlstate\`
and \`error_class\`, as MLflow 3 has them. The client throws the same as an \`MlflowError\`. Refusals that come before any endpoint are plain text: 403
for a foreign \`Host\` or \`Origin\`.`;

export function errorsPage(): string {
  const rows = (Object.keys(errorCodes) as ErrorCode[]).map((name) => {
    const { status, sqlstate = '', errorClass } = errorCodes[name];
    return [code(name), String(status), sqlstate, sqlstate === '' ? '' : (errorClass ?? name), occasions[name]];
  });
  return page('Errors', intro, table(['error_code', 'status', 'sqlstate', 'error_class', 'when'], rows));
}
