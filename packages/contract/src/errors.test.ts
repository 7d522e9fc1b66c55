import { describe, expect, test } from 'vitest';
import { errorCodes, errorFromResponse, invalidParameter, MlflowError } from './errors.ts';

describe('the body of an error', () => {
  test('has code, message, state and class in this order', () => {
    expect(JSON.stringify(invalidParameter('no'))).toBe(
      '{"error_code":"INVALID_PARAMETER_VALUE","message":"no","sqlstate":"KAM00","error_class":"INVALID_PARAMETER_VALUE"}',
    );
    expect(new MlflowError('RESOURCE_DOES_NOT_EXIST', 'no').toJSON()).toMatchObject({
      error_class: 'RESOURCE_NOT_FOUND',
    });
  });

  test('has no class where the code has none', () => {
    expect(new MlflowError('NOT_IMPLEMENTED', 'no').toJSON()).toEqual({ error_code: 'NOT_IMPLEMENTED', message: 'no' });
  });

  test.each(Object.keys(errorCodes) as (keyof typeof errorCodes)[])(
    '%s comes back as the error that it was',
    (code) => {
      const error = new MlflowError(code, 'why');
      const read = errorFromResponse(error.status, JSON.stringify(error), 'req-1');
      expect(read).toMatchObject({ errorCode: code, message: 'why', status: error.status, requestId: 'req-1' });
    },
  );
});

describe('an answer of another shape is still an error', () => {
  test.each([
    [502, '<html>Bad gateway</html>', 'INTERNAL_ERROR', '<html>Bad gateway</html>'],
    [404, '', 'RESOURCE_DOES_NOT_EXIST', 'The server answered 404'],
    [418, 'tea', 'BAD_REQUEST', 'tea'],
    [
      400,
      '{"error_code":"NEW_CODE","message":"x"}',
      'INVALID_PARAMETER_VALUE',
      '{"error_code":"NEW_CODE","message":"x"}',
    ],
    [400, '{"error_code":"toString"}', 'INVALID_PARAMETER_VALUE', '{"error_code":"toString"}'],
    [403, 'null', 'PERMISSION_DENIED', 'null'],
    [
      403,
      '<?xml version="1.0"?>\n<Error><Code>AuthenticationFailed</Code><Message>Signature expired.</Message></Error>',
      'PERMISSION_DENIED',
      'AuthenticationFailed: Signature expired.',
    ],
    [404, '<Error><Code>NoSuchKey</Code></Error>', 'RESOURCE_DOES_NOT_EXIST', 'NoSuchKey'],
  ] as const)('%d %s', (status, body, errorCode, message) => {
    expect(errorFromResponse(status, body)).toMatchObject({ status, errorCode, message });
  });

  test('a long one is cut', () => {
    expect(errorFromResponse(500, 'x'.repeat(10_000)).message.length).toBeLessThan(600);
  });
});
