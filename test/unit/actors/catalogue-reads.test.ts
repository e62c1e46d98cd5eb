import { expect, test } from 'vitest';
import { CatalogueReads, type OwnCatalogue } from '../../../src/actors/catalogue-reads.ts';
import { TroughError } from '../../../src/errors.ts';
import { keys } from '../../../src/messages/keys.ts';
import { type PeerCalls } from '../../../src/messages/node-calls.ts';
import { type ReadAnswer, type ReadRequest } from '../../../src/messages/reading.ts';
import { parseSegmentId } from '../../../src/model/segment-id.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';
import { FakeDisk } from '../../support/fake-disk.ts';
import { FakeEngine } from '../../support/fake-engine.ts';

function answerOf(node: string): ReadAnswer {
  return { node, version: 'live', columns: [], body: new Uint8Array(), summary: () => ({ rows: 0, truncated: false }) };
}

async function scene(own: OwnCatalogue | undefined, leader: string | undefined) {
  const cluster = new FakeCluster();
  if (leader !== undefined)
    await cluster.put(keys.leader, { node: leader, session: 's', term: 1, url: '', held: true, beat: 0 });
  await cluster.settle();
  const disk = new FakeDisk();
  disk.files.set('/data/catalogue.sqlite', 'rows');
  const engine = new FakeEngine(disk, cluster.clock);
  const asked: string[] = [];
  const down: { error: TroughError | undefined } = { error: undefined };
  const peers: PeerCalls = {
    write: () => Promise.reject(new Error('nothing is written')),
    read: (node, { hops }) => {
      asked.push(`${node} ${String(hops)}`);
      return down.error === undefined ? Promise.resolve(answerOf(node)) : Promise.reject(down.error);
    },
  };
  const reads = new CatalogueReads({
    ...{ view: cluster.view, engine, own: () => own, node: 'n1', deadlineMs: 100, deadlineLimitMs: 1_000 },
    peers,
    others: () => Promise.resolve(answerOf('another segment')),
  });
  const read = (segment = '_catalogue', more: Partial<ReadRequest> = {}): Promise<ReadAnswer> => {
    const request: ReadRequest = {
      ...{ segment: parseSegmentId(segment), sql: 'select 1', format: 'rows', bigints: 'digits' },
      ...{ consistency: 'strong', hops: 0 },
      ...more,
    };
    return reads.read(request, new AbortController().signal);
  };
  return { read, asked, down, engine };
}

const catalogue = (leads: boolean): OwnCatalogue => ({ file: '/data/catalogue.sqlite', leads: () => leads });

test('the leader reads its own database, and any other segment goes where it always goes', async () => {
  const { read, asked, engine } = await scene(catalogue(true), 'n1');
  expect(await read()).toMatchObject({ node: 'n1', version: 'live' });
  expect(engine.queries).toMatchObject([{ file: '/data/catalogue.sqlite', live: true, deadlineMs: 100 }]);
  expect(await read('s')).toMatchObject({ node: 'another segment' });
  expect(asked).toEqual([]);
});

test.each([
  ['a node without a catalogue', undefined],
  ['a standby', catalogue(false)],
])('%s hands the read on to the leader, once', async (_, own) => {
  const { read, asked } = await scene(own, 'm1');
  expect(await read()).toMatchObject({ node: 'm1' });
  expect(asked).toEqual(['m1 1']);
  await expect(read('_catalogue', { hops: 1 })).rejects.toMatchObject({ code: 'LEADER_UNKNOWN' });
});

test('a standby answers by itself who takes any state', async () => {
  const { read, asked } = await scene(catalogue(false), 'm1');
  expect(await read('_catalogue', { consistency: 'any' })).toMatchObject({ node: 'n1' });
  expect(asked).toEqual([]);
});

test('without a leader, or when it does not answer, the read is LEADER_UNKNOWN; what the leader says is handed back', async () => {
  const { read } = await scene(undefined, undefined);
  await expect(read()).rejects.toMatchObject({ code: 'LEADER_UNKNOWN' });
  const { read: ask, down } = await scene(undefined, 'm1');
  down.error = new TroughError('NODE_UNAVAILABLE', 'away');
  await expect(ask()).rejects.toMatchObject({ code: 'LEADER_UNKNOWN' });
  down.error = new TroughError('SQL_INVALID', 'no such column');
  await expect(ask()).rejects.toMatchObject({ code: 'SQL_INVALID' });
});
