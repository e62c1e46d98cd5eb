import { expect, test } from 'vitest';
import { promote, provision, readFrom, writeTo } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { descendants, stillRuns } from '../support/process-tree.ts';
import { tempDir } from '../support/temp-dir.ts';
import { trough, type TroughRun } from '../support/trough-process.ts';

test('SIGTERM under load: what was asked is answered, the exit code is 0, no process is left behind', async () => {
  await using dir = await tempDir();
  await using node = await trough({ data: dir.path });
  const { writeUrl } = await provision(node, 's');
  await writeTo(writeUrl, 'create table t (a)');
  const children = await descendants(node.pid);
  expect(children.length).toBeGreaterThan(2);

  const load = new Load(node, writeUrl);
  await eventually('some load', () => load.writes > 50 && load.reads > 50);
  const startedAt = performance.now();
  node.kill('SIGTERM');
  const { code } = await node.ended;
  expect(code).toBe(0);
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  await load.finished();
  // Nothing that reached the process was dropped: a client saw a whole answer, or could not connect any more.
  expect(load.cutOff).toEqual([]);
  expect(children.filter(stillRuns)).toEqual([]);

  await using again = await trough({ data: dir.path });
  const [row] = await eventually('the segment open again', () =>
    readFrom(again, 's', 'select count(*) n from t').catch(() => undefined),
  );
  expect(row?.['n']).toBe(load.writes);
});

test('a signal that comes twice in a moment, as npm sends it, is one: everything is stopped in order', async () => {
  await using dir = await tempDir();
  await using node = await trough({ data: dir.path });
  // Its configuration was written by trough itself: nobody has to be told what it needs.
  expect(node.log()).not.toContain('sync_interval');
  const children = await descendants(node.pid);
  expect(children.map(({ program }) => program)).toContain('nats-server');
  node.kill('SIGINT');
  node.kill('SIGTERM');
  expect((await node.ended).code).toBe(0);
  expect(children.filter(stillRuns)).toEqual([]);
});

test('kill -9 of everything under load: ready again, with every promoted segment and every acknowledged write', async () => {
  await using dir = await tempDir();
  const acknowledged = new Map<string, number>();
  for (let round = 0; round < 3; round += 1) {
    await using node = await trough({ data: dir.path });
    // The nats-server outlives a killed parent; the next start ends it.
    const children = (await descendants(node.pid)).filter(({ program }) => program !== 'nats-server');
    expect(children.length).toBeGreaterThan(0);
    const segments = Array.from({ length: 8 }, (_, index) => `s${String(index)}`);
    const one = async (segment: string): Promise<never> => {
      const { writeUrl } = await provision(node, segment);
      await writeTo(writeUrl, 'create table if not exists t (a)');
      for (;;) {
        await writeTo(writeUrl, 'insert into t values (1)');
        acknowledged.set(segment, (acknowledged.get(segment) ?? 0) + 1);
      }
    };
    const writers = Promise.allSettled(segments.map(one));
    await eventually('writes to each', () =>
      segments.every((segment) => (acknowledged.get(segment) ?? 0) > 20 * (round + 1)),
    );
    // Under this load the lease may be in the middle of being taken anew: a client tries again.
    await eventually('s0 promoted', () =>
      promote(node, 's0').then(
        () => true,
        () => false,
      ),
    );
    node.kill('SIGKILL');
    await node.ended;
    await writers;
    await eventually('no child left', () => !children.some(stillRuns), 15_000);
  }
  await using node = await trough({ data: dir.path });
  for (const [segment, count] of acknowledged) {
    const [row] = await eventually(`${segment} open again`, () =>
      readFrom(node, segment, 'select count(*) n from t').catch(() => undefined),
    );
    // One write per round may have been committed without its answer getting through.
    expect(row?.['n']).toBeGreaterThanOrEqual(count);
    expect(row?.['n']).toBeLessThanOrEqual(count + 3);
  }
});

class Load {
  writes = 0;
  reads = 0;
  readonly cutOff: string[] = [];
  readonly #loops: Promise<void>[];

  constructor(node: TroughRun, writeUrl: string) {
    const write = async (): Promise<void> => {
      await writeTo(writeUrl, 'insert into t values (1)');
      this.writes += 1;
    };
    const read = async (): Promise<void> => {
      await readFrom(node, 's', 'select count(*) n from t');
      this.reads += 1;
    };
    this.#loops = [
      ...Array.from({ length: 4 }, () => this.#loop(write)),
      ...Array.from({ length: 4 }, () => this.#loop(read)),
    ];
  }

  async finished(): Promise<void> {
    await Promise.all(this.#loops);
  }

  async #loop(step: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await step();
      } catch (error) {
        if (!isRefusal(error)) this.cutOff.push(String(error));
        return;
      }
    }
  }
}

/** The port is closed, or a connection that was idle was closed before the request was taken. */
function isRefusal(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause as { code?: string } | undefined) : undefined;
  return cause?.code === 'ECONNREFUSED' || cause?.code === 'ECONNRESET' || cause?.code === 'UND_ERR_SOCKET';
}
