import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TroughError } from '../../src/errors.ts';
import { type HdfsTimes } from '../../src/cold/webhdfs/webhdfs-options.ts';
import { listed, seg, sha } from '../contract/cold-harness.ts';
import { FAULTS, faultProxy, type Fault, type FaultProxy, type SeenRequest } from '../support/fault-proxy.ts';
import { testHdfs, type TestHdfs } from '../support/hdfs.ts';
import { tempDir } from '../support/temp-dir.ts';
import { webHdfsHarness, type WebHdfsHarness } from './webhdfs-harness.ts';

const TIMES: Partial<HdfsTimes> = {
  ...{ connectMs: 5_000, answerMs: 2_000, paceMs: 2_000, paceBytes: 256 * 1024 },
  ...{ attempts: 2, pauseMs: 20 },
};
const OLD = Buffer.from('old content '.repeat(50_000));
const NEW = Buffer.from('the new content '.repeat(50_000));
const id = seg('crawl-1');
const AT = 'craw/crawl-1.sqlite';

type Step = `${'name' | 'data'} ${string}`;

interface Work {
  /** Every step on the wire that it takes. */
  readonly steps: readonly Step[];
  readonly run: (cold: WebHdfsHarness, dir: string) => Promise<void>;
  /** After success. */
  readonly done: (cold: WebHdfsHarness, dir: string) => Promise<void>;
  /** After failure: nothing torn, nothing left behind. */
  readonly failed: (cold: WebHdfsHarness, dir: string) => Promise<void>;
}

const oldIsThere = async (cold: WebHdfsHarness): Promise<void> => {
  expect(sha((await cold.read(AT)) ?? '')).toBe(sha(OLD));
};

const WORK: Readonly<Record<string, Work>> = {
  publish: {
    steps: [
      ...([
        'name GETFILESTATUS',
        'name CREATE',
        'data CREATE',
        'name GETFILECHECKSUM',
        'data GETFILECHECKSUM',
      ] as const),
      ...(['name MKDIRS', 'name RENAME'] as const),
    ],
    run: async (cold, dir) => {
      await writeFile(join(dir, 'from'), NEW);
      await cold.store.publish(id, join(dir, 'from'), sha(NEW));
    },
    done: async (cold) => {
      expect(sha((await cold.read(AT)) ?? '')).toBe(sha(NEW));
      expect(await cold.everything()).toEqual([AT]);
    },
    failed: async (cold) => {
      expect([sha(OLD), sha(NEW)]).toContain(sha((await cold.read(AT)) ?? ''));
      expect(await cold.everything()).toEqual([AT]);
    },
  },
  fetch: {
    steps: ['name GETFILESTATUS', 'name OPEN', 'data OPEN', 'name GETFILECHECKSUM', 'data GETFILECHECKSUM'],
    run: async (cold, dir) => {
      const fetched = await cold.store.fetch(id, join(dir, 'to'), {});
      expect(fetched.sha256).toBe(sha(OLD));
    },
    done: async (_, dir) => {
      expect((await readFile(join(dir, 'to'))).equals(OLD)).toBe(true);
      expect(await readdir(dir)).toEqual(['to']);
    },
    failed: async (_, dir) => {
      expect(await readdir(dir)).toEqual([]);
    },
  },
  list: {
    steps: ['name LISTSTATUS_BATCH', 'name GETFILESTATUS', 'name GET_BLOCK_LOCATIONS'],
    run: async (cold) => {
      expect((await listed(cold.store)).files).toEqual(['crawl-1']);
    },
    done: oldIsThere,
    failed: oldIsThere,
  },
  stat: {
    steps: ['name GETFILESTATUS'],
    run: async (cold) => {
      expect(await cold.store.stat(id)).toMatchObject({ sizeBytes: OLD.length });
    },
    done: oldIsThere,
    failed: oldIsThere,
  },
  checksum: {
    steps: ['name GETFILESTATUS', 'name OPEN', 'data OPEN', 'name GETFILECHECKSUM', 'data GETFILECHECKSUM'],
    run: async (cold) => {
      expect(await cold.store.checksum(id)).toBe(sha(OLD));
    },
    done: oldIsThere,
    failed: oldIsThere,
  },
  probe: {
    steps: ['name GETFILESTATUS', 'name CREATE', 'data CREATE', 'name OPEN', 'data OPEN', 'name DELETE'],
    run: (cold) => cold.store.probe(),
    done: oldIsThere,
    failed: oldIsThere,
  },
  remove: {
    steps: ['name GETFILESTATUS', 'name DELETE'],
    run: async (cold) => {
      expect(await cold.store.remove(id)).toBe(true);
    },
    done: async (cold) => {
      expect(await cold.read(AT)).toBeUndefined();
    },
    failed: async (cold) => {
      expect([undefined, sha(OLD)]).toContain(await cold.read(AT).then((content) => content && sha(content)));
    },
  },
};

const DONE_UNHEARD: ReadonlySet<string> = new Set([
  // What reaches HDFS is done, though its answer never says so: one looks.
  ...['lost', 'truncated', 'short', 'altered', 'slow'].flatMap((fault) => [
    `publish name RENAME ${fault}`,
    `remove name DELETE ${fault}`,
  ]),
  // So few bytes come in time.
  'probe data CREATE slow',
  // A leftover is swept up later.
  ...FAULTS.map((fault) => `probe name DELETE ${fault}`),
]);

const CASES = Object.entries(WORK).flatMap(([name, { steps }]) =>
  steps.flatMap((step) => FAULTS.map((fault) => [name, step, fault] as const)),
);

let hdfs: TestHdfs;
let proxy: FaultProxy;
/** By the root of the case: what shall happen to which step, and how often. */
const plans = new Map<string, { readonly step: Step; readonly fault: Fault; left: number; met: boolean }>();

beforeAll(async () => {
  hdfs = await testHdfs();
  proxy = await faultProxy(hdfs.authority, { fault: planned });
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await hdfs[Symbol.asyncDispose]();
});

function planned({ path, node, op }: SeenRequest): Fault | undefined {
  const plan = plans.get(path.split('/').slice(0, 2).join('/'));
  if (plan === undefined || plan.step !== `${node} ${op}` || plan.left === 0) return undefined;
  plan.left -= 1;
  plan.met = true;
  return plan.fault;
}

async function underFault(
  [name, step, fault]: readonly [string, Step, Fault],
  times: number,
): Promise<{ outcome: 'done' | TroughError }> {
  const work = WORK[name];
  if (work === undefined) throw new Error(name);
  await using cold = webHdfsHarness(hdfs, { address: proxy.authority, times: TIMES });
  await using temp = await tempDir();
  const dir = await mkdtemp(join(temp.path, 'here-'));
  await cold.place(AT, OLD);
  const plan = { step, fault, left: times, met: false };
  plans.set(cold.root, plan);
  const outcome = await work.run(cold, dir).then(
    () => 'done' as const,
    (error: unknown) => error as TroughError,
  );
  plans.delete(cold.root);
  if (outcome === 'done') await work.done(cold, dir);
  else await work.failed(cold, dir);
  expect(plan.met, 'the step was taken').toBe(true);
  return { outcome };
}

describe('a fault that passes is overcome', () => {
  test.concurrent.for(CASES)('%s: %s %s', async (one) => {
    const { outcome } = await underFault(one, 1);
    expect(outcome).toBe('done');
  });
});

describe('a fault that stays is reported in time, and tears nothing', () => {
  test.concurrent.for(CASES)('%s: %s %s', async (one) => {
    const { outcome } = await underFault(one, Infinity);
    const [name, step, fault] = one;
    if (DONE_UNHEARD.has(`${name} ${step} ${fault}`)) {
      expect(outcome).toBe('done');
      return;
    }
    expect(outcome).toMatchObject({
      name: 'TroughError',
      code: expect.stringMatching(/^COLD_(FAILED|COPY_TORN)$/) as string,
    });
  });
});
