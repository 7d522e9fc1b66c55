import { MlflowError } from '@lazuli/contract';

/**
 * What a caller is told of a failed file operation: which rule its name broke, or whether trying again can help. The
 * message never carries the server's own path; the cause does, for the log.
 */
export function storageError(error: unknown, path: string): MlflowError {
  if (error instanceof MlflowError) return error;
  switch (codeOf(error)) {
    case 'ENAMETOOLONG':
      return new MlflowError('INVALID_PARAMETER_VALUE', 'Invalid path: a name in it is too long for the file system', {
        cause: error,
      });
    case 'ENOSPC':
    case 'EDQUOT':
      return new MlflowError('TEMPORARILY_UNAVAILABLE', 'The artifact store is full', { cause: error });
    case 'EMFILE':
    case 'ENFILE':
    case 'EBUSY':
      return new MlflowError('TEMPORARILY_UNAVAILABLE', 'The artifact store is busy', { cause: error });
    case 'EISDIR':
    case 'ENOTEMPTY':
      return isFolder(path, error);
    case 'ENOTDIR':
    case 'EEXIST':
      return belowFile(path, error);
    default:
      return new MlflowError('INTERNAL_ERROR', `The artifact store failed on '${path}'`, { cause: error });
  }
}

export function isFolder(path: string, cause?: unknown): MlflowError {
  return new MlflowError('INVALID_PARAMETER_VALUE', `Artifact path refers to a directory, not a file: '${path}'`, {
    cause,
  });
}

export function belowFile(path: string, cause?: unknown): MlflowError {
  return new MlflowError(
    'INVALID_PARAMETER_VALUE',
    `Artifact path '${path}' lies below a file; only a folder can hold files`,
    { cause },
  );
}

export function isCode(error: unknown, code: string): boolean {
  return codeOf(error) === code;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
