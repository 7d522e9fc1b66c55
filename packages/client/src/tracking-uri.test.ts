import { expect, test } from 'vitest';
import { azureMlTrackingUri, parseTrackingUri } from './tracking-uri.ts';

const scope =
  '/subscriptions/0000-1/resourceGroups/my-group/providers/Microsoft.MachineLearningServices/workspaces/my-space';

test('an http URI is the base of a server, without a slash, query or fragment at its end', () => {
  expect(parseTrackingUri('http://127.0.0.1:5000/')).toEqual({ kind: 'http', url: 'http://127.0.0.1:5000' });
  expect(parseTrackingUri('HTTPS://Host.example/mlflow/?x=1#y')).toEqual({
    kind: 'http',
    url: 'https://host.example/mlflow',
  });
});

test('a regional workspace is read into its parts, whatever version, query or case of the fixed words', () => {
  const expected = {
    kind: 'azureml',
    url: `https://westeurope.api.azureml.ms/mlflow/v2.0${scope}`,
    host: 'westeurope.api.azureml.ms',
    scope,
    region: 'westeurope',
    subscriptionId: '0000-1',
    resourceGroup: 'my-group',
    target: 'workspace',
    name: 'my-space',
  };
  for (const before of ['/mlflow/v1.0', '/mlflow/v2.0', '/history/v1.0', '']) {
    for (const after of ['', '?', '?is-remote=True', '/', '/more?x#y']) {
      expect(parseTrackingUri(`azureml://westeurope.api.azureml.ms${before}${scope}${after}`)).toEqual(expected);
    }
  }
  expect(parseTrackingUri(`AzureML://westeurope.api.azureml.ms/mlflow/v1.0${scope.toLowerCase()}`)).toMatchObject({
    resourceGroup: 'my-group',
    target: 'workspace',
    name: 'my-space',
    scope: scope.toLowerCase(),
  });
});

test('a private link carries its region behind the id of the workspace; other hosts and ports name none', () => {
  expect(parseTrackingUri(`azureml://1234-ab.workspace.eastus2.api.azureml.ms/mlflow/v1.0${scope}`)).toMatchObject({
    host: '1234-ab.workspace.eastus2.api.azureml.ms',
    region: 'eastus2',
  });
  expect(parseTrackingUri(`azureml://chinaeast2.api.ml.azure.cn/mlflow/v1.0${scope}`)).toMatchObject({
    region: 'chinaeast2',
  });
  for (const host of ['localhost:8443', '127.0.0.1:5443', '[::1]:5443', 'lazuli.example']) {
    const read = parseTrackingUri(`azureml://${host}/mlflow/v1.0${scope}`);
    expect(read).toMatchObject({ host, url: `https://${host}/mlflow/v2.0${scope}` });
    expect(read).not.toHaveProperty('region');
  }
});

test('a shared registry is told from a workspace', () => {
  const uri = `azureml://eastus.api.azureml.ms/mlflow/v1.0${scope.replace('workspaces/my-space', 'registries/our-reg')}`;
  expect(parseTrackingUri(uri)).toMatchObject({ target: 'registry', name: 'our-reg' });
});

test('databricks URIs may name a profile and Unity Catalog', () => {
  expect(parseTrackingUri('databricks')).toEqual({ kind: 'databricks', unityCatalog: false });
  expect(parseTrackingUri('databricks://')).toEqual({ kind: 'databricks', unityCatalog: false });
  expect(parseTrackingUri('databricks://team')).toEqual({ kind: 'databricks', unityCatalog: false, profile: 'team' });
  expect(parseTrackingUri('databricks-uc://team')).toEqual({ kind: 'databricks', unityCatalog: true, profile: 'team' });
});

test('what is no address of a server is refused with the forms that are', () => {
  for (const uri of [
    '',
    './mlruns',
    'file:///tmp/mlruns',
    'sqlite:///mlflow.db',
    'http://',
    'azureml:',
    'azureml://host',
    'azureml:///mlflow/v1.0' + scope,
    'azureml://user@host' + scope,
    `azureml://host${scope.replace('my-space', '')}`,
    'databricks:team',
  ]) {
    expect(() => parseTrackingUri(uri), uri).toThrow(/Use http\(s\):\/\//);
  }
});

test('credentials in a URI are refused and not repeated', () => {
  expect(() => parseTrackingUri('https://me:hunter2@host.example')).toThrow(/MLFLOW_TRACKING_USERNAME/);
  expect(() => parseTrackingUri('https://me:hunter2@host.example')).not.toThrow(/hunter2/);
});

test('a URI that was built by hand is read back', () => {
  const workspace = { subscriptionId: '0000-1', resourceGroup: 'my-group', workspaceName: 'my-space' };
  const built = azureMlTrackingUri({ ...workspace, region: 'WestEurope' });
  expect(built).toBe(`azureml://westeurope.api.azureml.ms/mlflow/v1.0${scope}`);
  expect(parseTrackingUri(built)).toMatchObject({ region: 'westeurope', name: 'my-space' });
  expect(azureMlTrackingUri({ ...workspace, region: 'chinaeast2', cloud: 'azurechinacloud' })).toContain(
    '://chinaeast2.api.ml.azure.cn/',
  );
  expect(azureMlTrackingUri({ ...workspace, host: 'localhost:5443', cloud: 'Mine' })).toContain('://localhost:5443/');
});

test('a URI is not built from what would not be one', () => {
  const workspace = { region: 'westeurope', subscriptionId: 's', resourceGroup: 'g', workspaceName: 'w' };
  expect(() => azureMlTrackingUri({ ...workspace, workspaceName: 'a/b' })).toThrow(/workspaceName/);
  expect(() => azureMlTrackingUri({ ...workspace, cloud: 'Mine' })).toThrow(/'Mine'/);
  expect(() => azureMlTrackingUri({ ...workspace, region: 'evil.example/' })).toThrow(/not a region/);
});
