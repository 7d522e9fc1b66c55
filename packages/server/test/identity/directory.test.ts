import { createClientCertificate } from '@lazuli/server';
import { expect } from 'vitest';
import { onEveryEngine } from '../server-fixture.ts';

const inADay = Date.now() + 24 * 3_600_000;

onEveryEngine(
  'a user is found by name and id, in a group, and gone when deleted',
  async ({ client: { directory } }) => {
    const { object, password } = await directory.createUser({ user_name: 'Ann@Example.org', display_name: 'Ann' });
    expect(object).toMatchObject({ kind: 'User', user_name: 'ann@example.org', display_name: 'Ann', disabled: false });
    expect(password).toMatch(/^\w{18}$/);
    for (const name of ['ANN@example.org', object.object_id, 'Ann']) {
      expect(await directory.getDirectoryObject({ object: name })).toEqual({ object });
    }
    const team = await directory.createGroup({ display_name: 'team' });
    await directory.addGroupMember({ group: 'team', member: 'Ann' });
    await directory.addGroupMember({ group: team.object.object_id, member: 'ann@example.org' });
    expect(await directory.listGroupMembers({ group: 'team' })).toEqual({ objects: [object] });
    await directory.deleteDirectoryObject({ object: 'Ann' });
    expect(await directory.listGroupMembers({ group: 'team' })).toEqual({});
    await expect(directory.getDirectoryObject({ object: 'Ann' })).rejects.toMatchObject({
      errorCode: 'RESOURCE_DOES_NOT_EXIST',
    });
  },
);

onEveryEngine('a user name is given once, whatever its case', async ({ client: { directory } }) => {
  await directory.createUser({ user_name: 'ann@example.org' });
  await expect(directory.createUser({ user_name: 'ANN@example.org' })).rejects.toMatchObject({
    errorCode: 'RESOURCE_ALREADY_EXISTS',
  });
});

onEveryEngine('names and passwords that would not do are refused with the rule', async ({ client: { directory } }) => {
  for (const user_name of [' ', 'ann', 'ann@', '@x', 'a b@example.org', `${'a'.repeat(250)}@x.org`]) {
    await expect(directory.createUser({ user_name })).rejects.toThrow('must look like ann@example.org');
  }
  await expect(directory.createUser({ user_name: 'a@b.c', password: 'short' })).rejects.toThrow('12 to 256 characters');
  await expect(directory.createGroup({ display_name: 'a\nb' })).rejects.toThrow('without control characters');
  for (const uri of ['http://example.org/', 'https://a.b/#x', 'javascript:alert(1)', 'https://u:p@a.b/', 'a b']) {
    await expect(directory.createServicePrincipal({ display_name: 'app', redirect_uris: [uri] })).rejects.toThrow(
      "parameter 'redirect_uris'",
    );
  }
});

onEveryEngine('two objects of one name are told apart by their ids', async ({ client: { directory } }) => {
  const first = await directory.createServicePrincipal({ display_name: 'twin' });
  await directory.createServicePrincipal({ display_name: 'twin' });
  await expect(directory.createSecret({ object: 'twin' })).rejects.toThrow(first.object.object_id);
  const { secret } = await directory.createSecret({ object: first.object.app_id ?? '' });
  expect(secret).toMatch(/^lzs_[\w-]{43}$/);
});

onEveryEngine('a service principal has several secrets and certificates', async ({ client: { directory } }) => {
  await directory.createServicePrincipal({ display_name: 'ci' });
  const { certificate, privateKey } = await createClientCertificate('ci', inADay);
  const secret = await directory.createSecret({ object: 'ci', display_name: 'first', expiry_time: inADay });
  await directory.createSecret({ object: 'ci' });
  const added = await directory.addCertificate({ object: 'ci', certificate: `${privateKey}\n${certificate}` });
  expect(added.credential).toMatchObject({
    kind: 'certificate',
    thumbprint: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
  });
  const { credentials = [] } = await directory.listCredentials({ object: 'ci' });
  expect(credentials).toHaveLength(3);
  expect(credentials).toContainEqual(secret.credential);
  expect(JSON.stringify(credentials)).not.toContain(secret.secret);
  await directory.deleteCredential({ credential_id: secret.credential.credential_id });
  expect((await directory.listCredentials({ object: 'ci' })).credentials).toHaveLength(2);
  await expect(directory.deleteCredential({ credential_id: 'none' })).rejects.toThrow('No credential with id=none');
  await expect(directory.addCertificate({ object: 'ci', certificate: privateKey })).rejects.toThrow('in PEM form');
  await directory.deleteDirectoryObject({ object: 'ci' });
});

onEveryEngine('a group is no member, has no secret and no password', async ({ client: { directory } }) => {
  await directory.createGroup({ display_name: 'a' });
  await directory.createGroup({ display_name: 'b' });
  await expect(directory.addGroupMember({ group: 'a', member: 'b' })).rejects.toThrow(
    "No user or service principal 'b'",
  );
  await expect(directory.createSecret({ object: 'a' })).rejects.toThrow("No service principal 'a' exists");
  await expect(directory.setPassword({ object: 'a' })).rejects.toThrow("No user 'a' exists");
});
