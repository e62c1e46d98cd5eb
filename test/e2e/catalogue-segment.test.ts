import { expect, test } from 'vitest';
import { promote, provision, readFrom, writeTo } from '../support/api.ts';
import { clusterNode } from '../support/cluster-node.ts';
import { eventually } from '../support/eventually.ts';
import { natsServer } from '../support/nats-server.ts';
import { tempDir } from '../support/temp-dir.ts';

const BY_TIER = 'select tier, count(*) segments, sum(bytes) > 0 stored from segments group by 1 order by 1';

test('SQL on the catalogue: every reader answers for the segment _catalogue, whoever leads, as soon as something changed', async () => {
  await using nats = await natsServer();
  await using dir = await tempDir();
  const start = clusterNode(nats, dir);
  await using leader = await start('m1', '--role', 'sync-master');
  await using standby = await start('m2', '--role', 'sync-master,reader');
  await using node = await start('n1', '--role', 'reader,writer,sync-local');
  await eventually('a leader', async () => (await readFrom(node, '_catalogue', BY_TIER)).length === 0);
  for (const segment of ['a', 'b']) {
    const { writeUrl } = await provision(leader, segment);
    await writeTo(writeUrl, 'create table t (x)');
  }
  await promote(leader, 'a');
  const asked = [node, standby].map((one) => readFrom(one, '_catalogue', BY_TIER));
  expect(await Promise.all(asked)).toEqual(Array(2).fill([{ tier: 'hot', segments: 2, stored: 1 }]));
  const sql = "select id, version > 0 published, length(sha256) sha, vanished from segments where id regexp '^[ab]$'";
  expect(await readFrom(node, '_catalogue', sql)).toEqual([
    { id: 'a', published: 1, sha: 64, vanished: 0 },
    { id: 'b', published: 0, sha: null, vanished: 0 },
  ]);
  await expect(provision(leader, '_catalogue')).rejects.toThrow();
  await expect(readFrom(node, '_catalogue', 'delete from segments')).rejects.toThrow();

  leader.kill('SIGKILL');
  await leader.ended;
  const counted = await eventually(
    'the standby to lead',
    async () => {
      try {
        return await readFrom(node, '_catalogue', 'select count(*) n from segments');
      } catch {
        return undefined;
      }
    },
    30_000,
  );
  expect(counted).toEqual([{ n: 2 }]);
});
