import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { loadSettings, type LoadedSettings, type SettingsInput } from '../../../src/settings/load.ts';
import { printSettings } from '../../../src/settings/print.ts';
import { envName, fileKey, flagName, SETTING_LIST } from '../../../src/settings/schema.ts';
import { tempDir } from '../../support/temp-dir.ts';

interface Given {
  readonly env?: Record<string, string>;
  readonly flags?: SettingsInput['flags'];
  readonly file?: string;
}

async function load({ env = {}, flags = {}, file }: Given = {}): Promise<LoadedSettings> {
  await using dir = await tempDir();
  const path = join(dir.path, 'trough.yaml');
  if (file !== undefined) await writeFile(path, file);
  const host = { env, hostname: 'host-1', cores: 4 };
  return await loadSettings({ host, flags, configFile: file === undefined ? undefined : path });
}

async function problems(given: Given): Promise<string> {
  const error: unknown = await load(given).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(TroughError);
  expect((error as TroughError).code).toBe('CONFIG_INVALID');
  return (error as TroughError).message;
}

test('without anything given, every setting has its default and one process runs all roles', async () => {
  const { settings, origins, warnings } = await load();
  expect(settings.roles).toEqual(['reader', 'writer', 'sync-master', 'sync-local']);
  expect(settings).toMatchObject({
    data: './data',
    cold: 'data/cold',
    node: 'host-1',
    advertise: '127.0.0.1',
    engineChildren: 4,
  });
  expect(settings.queryDeadlineMs).toBe(60_000);
  expect(Object.values(origins).every(({ kind }) => kind === 'default')).toBe(true);
  expect(warnings).toEqual([]);
});

test('a flag wins over a variable, a variable over the file, and each value tells where it came from', async () => {
  const { settings, origins } = await load({
    file: 'queryDeadline: 1s\nzone: from-file\ncopies: 1\n',
    env: { TROUGH_QUERY_DEADLINE: '2s', TROUGH_ZONE: 'from-env' },
    flags: { queryDeadlineMs: '3s' },
  });
  expect(settings).toMatchObject({ queryDeadlineMs: 3_000, zone: 'from-env', copies: 1 });
  expect(origins.queryDeadlineMs.place).toBe('flag --query-deadline');
  expect(origins.zone.place).toBe('environment TROUGH_ZONE');
  expect(origins.copies.place).toMatch(/trough\.yaml:3 \(copies\)$/);
});

test('the settings cannot be changed afterwards, not in their depth either', async () => {
  const { settings } = await load({ flags: { rules: '[{"match":"^a","copies":3}]' } });
  expect(Object.isFrozen(settings)).toBe(true);
  expect(Object.isFrozen(settings.rules[0])).toBe(true);
});

test('roles may be repeated or written with commas', async () => {
  const expected = ['reader', 'sync-local'];
  expect((await load({ flags: { roles: ['reader', 'sync-local'] } })).settings.roles).toEqual(expected);
  expect((await load({ flags: { roles: ['reader,sync-local'] } })).settings.roles).toEqual(expected);
  expect((await load({ env: { TROUGH_ROLES: 'reader, sync-local' } })).settings.roles).toEqual(expected);
});

test('an unknown key, variable or value is named with its place and the nearest right name', async () => {
  const said = await problems({
    file: 'port: 1\nqueryDeadlin: 3s\nroles: [reader, wrter]\n',
    env: { TROUGH_BND: '0.0.0.0' },
  });
  expect(said).toMatch(/trough\.yaml:1 \(port\): there is no such setting/);
  expect(said).toMatch(/trough\.yaml:2 \(queryDeadlin\).*did you mean queryDeadline\?/);
  expect(said).toMatch(/trough\.yaml:3 \(roles\): item 2: must be one of .* not 'wrter'/);
  expect(said).toMatch(/environment TROUGH_BND: .* did you mean TROUGH_BIND\?/);
});

test('a number without a unit is refused where a unit is needed', async () => {
  const said = await problems({ file: 'queryDeadline: 60\n', flags: { bodyLimitBytes: '64' } });
  expect(said).toMatch(/'60' needs a unit: did you mean 60s\?/);
  expect(said).toMatch(/flag --body-limit: '64' needs a unit: did you mean 64B\?/);
});

test.each([
  [{ flags: { readPort: '6222' } }, /--write-port \(default\) and flag --read-port are both port 6222/],
  [{ flags: { natsPort: '6444' } }, /both port 6444/],
  [
    { flags: { nats: ['nats://a:1'], natsPort: '5000' } },
    /flag --nats-port is for the nats-server that trough starts itself/,
  ],
  [{ flags: { natsReplicas: '3' } }, /needs a NATS cluster/],
  [{ flags: { data: '/x/y', cold: '/x' } }, /flag --data lies inside flag --cold/],
  [{ flags: { data: '/x', cold: '/x' } }, /flag --data lies inside flag --cold/],
  [{ flags: { data: '/x', cold: '/x/segments/a' } }, /which trough keeps for itself/],
  [{ flags: { queryDeadlineMs: '2h' } }, /longer than the most a query may ask for/],
  [{ flags: { copies: '9' } }, /whole number from 1 to 8/],
  [{ flags: { rules: '[{"copies":9}]' } }, /8 copies at most/],
  [{ flags: { rules: '[{"match":"("}]' } }, /rule 1 has a match that cannot be used/],
  [{ flags: { readPort: '70000' } }, /from 0 to 65535/],
  [{ flags: { cold: 'hdfs://h:1/x' } }, /'hdfs' is not known/],
  [{ flags: { cold: 'webhdfs://me:secret@h:1/x' } }, /takes no password/],
  [{ flags: { cold: '/x', coldReplicas: '2' } }, /flag --cold-replicas is for cold storage in HDFS, but \/x is a dir/],
  [{ flags: { cold: 'webhdfs://h:1/x', coldApiPath: 'gateway' } }, /must be a path such as/],
  [{ flags: { metadata: 'rethinkdb://h' } }, /must be 'nats'/],
  [{ flags: { node: 'a b' } }, /is not a node name/],
  [{ file: 'a: [\n' }, /trough\.yaml:\d+: /],
  [{ file: '- a\n' }, /'key: value' lines/],
  [{ file: 'copies: 1\ncopies: 2\n' }, /unique/],
])('%j is refused', async (given: Given, expected) => {
  expect(await problems(given)).toMatch(expected);
});

test('ports of roles that do not run here may be equal, and so may any number of zeros', async () => {
  await load({ flags: { roles: ['reader'], readPort: '6222' } });
  await load({ flags: { readPort: '0', writePort: '0', syncMasterPort: '0', syncLocalPort: '0', natsPort: '0' } });
});

test('a settings file that is not there is an error that names it', async () => {
  const host = { env: { TROUGH_SETTINGS: '/nowhere/settings.yml' }, hostname: 'h', cores: 1 };
  await expect(loadSettings({ host, flags: {} })).rejects.toThrow('/nowhere/settings.yml: there is no such file');
});

test('a node that listens everywhere is reached by its name, one that listens on an address by that', async () => {
  expect((await load({ flags: { bind: '0.0.0.0', node: 'n7' } })).settings.advertise).toBe('n7');
  expect((await load({ flags: { bind: '10.0.0.7', node: 'n7' } })).settings.advertise).toBe('10.0.0.7');
});

test('a host name that cannot be a node name becomes one', async () => {
  const host = { env: {}, hostname: '-my host.example', cores: 1 };
  expect((await loadSettings({ host, flags: {} })).settings.node).toBe('my-host.example');
});

test('a cluster without a common cold directory is warned of', async () => {
  expect((await load({ flags: { nats: ['nats://a:4222'] } })).warnings[0]).toMatch(
    /all of them see: name it with --cold/,
  );
  expect((await load({ flags: { nats: ['nats://a:4222'], cold: '/mnt/c' } })).warnings).toEqual([]);
});

test('what is printed is a settings file with the same meaning, and hides passwords', async () => {
  const first = await load({
    flags: {
      nats: ['nats://me:secret@a:4222'],
      cold: '/mnt/c',
      rules: '[{"from":"1","copies":3}]',
      bodyLimitBytes: '32MB',
      quotaBytes: '1GiB',
    },
  });
  const printed = printSettings(first);
  expect(printed).not.toContain('secret');
  expect(printed).toMatch(/^nats: \[nats:\/\/\*\*\*@a:4222\] +# flag --nats$/m);
  const again = await load({ file: printed.replace(/^natsPort.*\n/m, '') });
  expect({ ...again.settings, nats: [] }).toEqual({ ...first.settings, nats: [] });
});

test('every setting has names of its own and one line of help', () => {
  for (const name of [fileKey, envName, flagName]) {
    expect(new Set(SETTING_LIST.map(([key]) => name(key))).size).toBe(SETTING_LIST.length);
  }
  for (const [key, { help }] of SETTING_LIST) expect(help, key).toMatch(/^.{10,110}$/);
});
