import { expect, test } from 'vitest';
import { createClient } from './client.ts';

test('a server that answers with a page is named as what it is not', async () => {
  const fetch = async (): Promise<Response> => new Response('<html>hello</html>');
  const client = createClient({ url: 'http://pages.test', fetch });
  await expect(client.experiments.getExperiment({ experiment_id: '0' })).rejects.toMatchObject({
    errorCode: 'INTERNAL_ERROR',
    message:
      'http://pages.test answered with no JSON, so it is hardly an MLflow server; look at the tracking URI. It began: <html>hello</html>',
  });
});
