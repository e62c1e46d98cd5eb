import { describe, expect, test } from 'vitest';
import { DataNodes } from '../../../../src/cold/webhdfs/data-nodes.ts';
import { HdfsProblem } from '../../../../src/cold/webhdfs/hdfs-problem.ts';
import { type HttpAnswer } from '../../../../src/cold/webhdfs/http-client.ts';
import { type Operation } from '../../../../src/cold/webhdfs/name-nodes.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const MINUTE_MS = 60_000;
const OPEN: Operation = { method: 'GET', op: 'OPEN', path: '/a' };

function answer(body: unknown): HttpAnswer {
  return { status: 200, headers: {}, body: Buffer.from(JSON.stringify(body)) };
}

/** A name node that names these data nodes in turn, and which hosts it was told to leave out. */
function cluster(...places: readonly string[]): {
  nodes: DataNodes;
  clock: ManualClock;
  excluded: (string | undefined)[];
  read: (dead?: readonly string[]) => Promise<string>;
} {
  const clock = new ManualClock();
  const excluded: (string | undefined)[] = [];
  let asked = 0;
  const ask = <T>({ params }: Operation, read: (told: HttpAnswer) => T): Promise<T> => {
    const left = params?.['excludedatanodes'] as string | undefined;
    excluded.push(left);
    const rest = places.filter((place) => left?.split(',').includes(place.split(':')[0] ?? '') !== true);
    if (rest.length === 0) return Promise.reject(HdfsProblem.answered('OPEN /a', 403, Buffer.from('none is left')));
    const place = rest[asked % rest.length] ?? '';
    asked += 1;
    return Promise.resolve(read(answer({ Location: `http://${place}/webhdfs/v1/a?op=OPEN` })));
  };
  const names = { ask, headersFor: () => Promise.resolve({}), hasAddress: (host: string) => host === 'gateway:1' };
  const nodes = new DataNodes(names, { clock });
  return {
    nodes,
    clock,
    excluded,
    read: async (dead = []) => {
      let met = '';
      await nodes.at(OPEN, 200, ({ host }) => {
        met = host;
        if (dead.includes(host)) throw HdfsProblem.noAnswer('reading', new Error('reset'));
        return Promise.resolve(answer({}));
      });
      return met;
    },
  };
}

describe('a data node that did not answer', () => {
  test('is left out of what the name node is asked for, for a minute', async () => {
    const { read, excluded, clock } = cluster('one:1', 'two:1');
    await expect(read(['one:1'])).rejects.toThrow('reset');
    for (let time = 0; time < 4; time += 1) expect(await read()).toBe('two:1');
    expect(excluded).toEqual([undefined, 'one', 'one', 'one', 'one']);
    await clock.advance(MINUTE_MS);
    expect([await read(), await read()].sort()).toEqual(['one:1', 'two:1']);
    expect(excluded.slice(-2)).toEqual([undefined, undefined]);
  });

  test('is asked all the same when no other is left', async () => {
    const { read, excluded } = cluster('one:1');
    await expect(read(['one:1'])).rejects.toThrow('reset');
    expect(await read()).toBe('one:1');
    expect(excluded.slice(1, 3)).toEqual(['one', undefined]);
  });

  test('is told from another one on the same machine by its port', async () => {
    const { read } = cluster('one:1', 'one:2');
    await expect(read(['one:1'])).rejects.toThrow('reset');
    for (let time = 0; time < 4; time += 1) expect(await read()).toBe('one:2');
  });

  test('is not passed over where a gateway stands for all of them', async () => {
    const { read, excluded } = cluster('gateway:1');
    await expect(read(['gateway:1'])).rejects.toThrow('reset');
    expect(await read()).toBe('gateway:1');
    expect(excluded).toEqual([undefined, undefined]);
  });
});

test('one that answers no is not passed over', async () => {
  const { nodes, read, excluded } = cluster('one:1');
  const refused = (): Promise<HttpAnswer> => Promise.resolve({ ...answer({}), status: 503 });
  await expect(nodes.at(OPEN, 200, refused)).rejects.toThrow('503');
  expect(await read()).toBe('one:1');
  expect(excluded).toEqual([undefined, undefined]);
});
