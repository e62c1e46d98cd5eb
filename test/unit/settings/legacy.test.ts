import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadSettings, type LoadedSettings } from '../../../src/settings/load.ts';
import { tempDir } from '../../support/temp-dir.ts';

async function load(text: string): Promise<LoadedSettings> {
  await using dir = await tempDir();
  const path = join(dir.path, 'settings.yml');
  await writeFile(path, text);
  return await loadSettings({ host: { env: { TROUGH_SETTINGS: path }, hostname: 'h', cores: 2 }, flags: {} });
}

test("the original's settings file works as it is", async () => {
  const { settings, warnings } = await load(`
LOCAL_DATA: /var/tmp/trough
READ_PORT: 7444
WRITE_PORT: 7222
SYNC_SERVER_PORT: 7111
SYNC_LOCAL_PORT: 7112
RETHINKDB_HOSTS: [db0.example.org, db1.example.org]
HDFS_PATH: /tmp/trough
HDFS_HOST: hdfs.example.org
HDFS_PORT: 8020
HOSTNAME: worker-3
EXTERNAL_IP: 10.1.2.3
STORAGE_IN_BYTES: 800000000000
ELECTION_CYCLE: 10
SYNC_LOOP_TIMING: 120
MINIMUM_ASSIGNMENTS: 3
MAXIMUM_ASSIGNMENTS: 3
RUN_AS_COLD_STORAGE_NODE: false
COLD_STORAGE_PATH: /mount/hdfs/{prefix}/{segment_id}.sqlite
COLD_STORE_SEGMENT: false
COPY_THREAD_POOL_SIZE: 4
SENTRY_DSN: https://sentry.example.org/1
LOG_LEVEL: WARNING
`);
  expect(settings).toMatchObject({
    data: '/var/tmp/trough',
    readPort: 7444,
    writePort: 7222,
    syncMasterPort: 7111,
    syncLocalPort: 7112,
    node: 'worker-3',
    advertise: '10.1.2.3',
    quotaBytes: 800_000_000_000,
    coldScanIntervalMs: 120_000,
    copies: 3,
    copyParallel: 4,
    logLevel: 'warn',
    rules: [],
  });
  const named = warnings.map((warning) => /\(([A-Z_]+)\) has no meaning here: ./.exec(warning)?.[1]);
  expect(named.sort()).toEqual(
    [
      'COLD_STORAGE_PATH',
      'ELECTION_CYCLE',
      'HDFS_HOST',
      'HDFS_PATH',
      'HDFS_PORT',
      'MAXIMUM_ASSIGNMENTS',
      'RETHINKDB_HOSTS',
      'RUN_AS_COLD_STORAGE_NODE',
      'SENTRY_DSN',
    ].sort(),
  );
});

test('Python functions become rules, the cold ones first', async () => {
  const { settings } = await load(
    'MINIMUM_ASSIGNMENTS: "lambda s: 2 if s.isnumeric() and int(s) > 200000 else 1"\n' +
      'COLD_STORE_SEGMENT: "lambda s: True if s.isnumeric() and int(s) < 1000 else False"\n',
  );
  expect(settings.copies).toBe(1);
  expect(settings.rules).toEqual([
    { to: '999', tier: 'cold' },
    { from: '200001', copies: 2 },
  ]);
});

test('a function that cannot be translated stops the start and says what to write', async () => {
  await expect(load('MINIMUM_ASSIGNMENTS: "lambda s: open(s).read()"\n')).rejects.toThrow(
    /settings\.yml:1 \(MINIMUM_ASSIGNMENTS\): MINIMUM_ASSIGNMENTS cannot be translated/,
  );
});

test("a setting that is given in the original's words and in trough's is refused", async () => {
  await expect(load('copies: 2\nMINIMUM_ASSIGNMENTS: 3\n')).rejects.toThrow(/say the same thing: keep one of them/);
  await expect(load('READ_PORT: 1\nreadPort: 2\n')).rejects.toThrow(/say the same thing: keep one of them/);
});

test('HOSTNAME alone names the node and its address', async () => {
  expect((await load('HOSTNAME: worker-3\n')).settings).toMatchObject({ node: 'worker-3', advertise: 'worker-3' });
});
