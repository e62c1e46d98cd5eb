import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TroughError } from '../../src/errors.ts';
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

/** What comes of an operation under a fault that stays: a TroughError of one of these codes, or it is done all the same; `left out`: a listing goes on without the file. */
type Outcome = 'FAILED' | 'TORN' | 'done' | 'left out';

interface Work {
  /** Every step on the wire that it takes. */
  readonly steps: readonly Step[];
  readonly prepare?: (cold: WebHdfsHarness) => Promise<void>;
  /** Resolves to 'left out' when it was. */
  readonly run: (cold: WebHdfsHarness, dir: string) => Promise<unknown>;
  /** After success. */
  readonly done: (cold: WebHdfsHarness, dir: string) => Promise<void>;
  /** After failure: nothing torn, nothing left behind. */
  readonly failed: (cold: WebHdfsHarness, dir: string) => Promise<void>;
}

const oldIsThere = async (cold: WebHdfsHarness): Promise<void> => {
  expect(sha((await cold.read(AT)) ?? '')).toBe(sha(OLD));
};

/** Nothing is torn, and nothing is left behind. */
const oldOrNewIsThere = async (cold: WebHdfsHarness): Promise<void> => {
  expect([sha(OLD), sha(NEW)]).toContain(sha((await cold.read(AT)) ?? ''));
  expect(await cold.everything()).toEqual([AT]);
};

const UPLOAD: readonly Step[] = [
  ...(['name GETFILESTATUS', 'name CREATE', 'data CREATE', 'name GETFILECHECKSUM', 'data GETFILECHECKSUM'] as const),
  ...(['name GET_BLOCK_LOCATIONS', 'name MKDIRS', 'name RENAME'] as const),
];

const LOOKS: readonly Step[] = [
  ...(['name GETFILESTATUS', 'name LISTSTATUS_BATCH', 'name GET_BLOCK_LOCATIONS'] as const),
  ...(['name OPEN', 'data OPEN'] as const),
];

const UPLOADED = '.trough-tmp/crawl-1.00000000-0000-4000-8000-000000000000.part';

const WORK: Readonly<Record<string, Work>> = {
  publish: {
    steps: UPLOAD,
    run: async (cold, dir) => {
      await writeFile(join(dir, 'from'), NEW);
      await cold.store.publish(id, join(dir, 'from'), sha(NEW));
    },
    done: async (cold) => {
      expect(sha((await cold.read(AT)) ?? '')).toBe(sha(NEW));
      expect(await cold.everything()).toEqual([AT]);
    },
    failed: oldOrNewIsThere,
  },
  restore: {
    steps: [...UPLOAD, 'name SETTIMES'],
    prepare: (cold) => cold.drop(AT),
    run: async (cold, dir) => {
      await writeFile(join(dir, 'from'), OLD);
      await cold.store.restore(id, join(dir, 'from'), { sha256: sha(OLD), modifiedMs: 1_700_000_000_123 });
    },
    done: async (cold) => {
      expect(sha((await cold.read(AT)) ?? '')).toBe(sha(OLD));
      expect(await cold.everything()).toEqual([AT]);
      expect((await cold.plain.status(cold.absolute(AT)))?.modificationTime).toBe(1_700_000_000_123);
    },
    failed: async (cold) => {
      const there = await cold.everything();
      expect([[], [AT]]).toContainEqual(there);
      if (there.length > 0) await oldIsThere(cold);
    },
  },
  'discard uploads': {
    steps: ['name GETFILESTATUS', 'name LISTSTATUS_BATCH', 'name DELETE'],
    prepare: (cold) => cold.place(UPLOADED, NEW),
    run: (cold) => cold.store.discardUploads(id),
    done: async (cold) => {
      expect(await cold.everything()).toEqual([AT]);
    },
    failed: oldIsThere,
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
  'fetch what is known': {
    steps: ['name OPEN', 'data OPEN'],
    run: async (cold, dir) => {
      expect(await cold.store.fetch(id, join(dir, 'to'), { sha256: sha(OLD) })).toMatchObject({
        sizeBytes: OLD.length,
        sha256: sha(OLD),
      });
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
    steps: LOOKS,
    run: async (cold) => {
      const { files, ignored } = await listed(cold.store);
      expect([files, ignored]).toEqual(files.length > 0 ? [['crawl-1'], []] : [[], [cold.absolute(AT)]]);
      return files.length > 0 ? undefined : 'left out';
    },
    done: oldIsThere,
    failed: oldIsThere,
  },
  walk: {
    steps: LOOKS,
    run: async (cold) => {
      const kinds: string[] = [];
      for await (const { kind } of cold.store.walk(undefined)) if (kind !== 'place') kinds.push(kind);
      expect([['file'], ['odd']]).toContainEqual(kinds);
      return kinds[0] === 'file' ? undefined : 'left out';
    },
    done: oldIsThere,
    failed: oldIsThere,
  },
  head: {
    steps: ['name OPEN', 'data OPEN'],
    run: async (cold) => {
      const modifiedMs = 0;
      const head = await cold.store.head({ id, path: cold.absolute(AT), sizeBytes: OLD.length, modifiedMs });
      // The last one may be altered: so few bytes have no checksum. It is a hint, and never served.
      expect(Buffer.from(head.subarray(0, 99)).equals(OLD.subarray(0, 99))).toBe(true);
      expect(head.length).toBe(100);
    },
    done: oldIsThere,
    failed: oldIsThere,
  },
  leftovers: {
    steps: ['name LISTSTATUS_BATCH', 'name DELETE'],
    prepare: async (cold) => {
      await cold.place(UPLOADED, NEW);
      await cold.age(UPLOADED, 25 * 3_600_000);
    },
    run: async (cold) => {
      for (const leftover of await cold.store.leftovers()) await cold.store.removeLeftover(leftover);
    },
    done: async (cold) => {
      expect(await cold.everything()).toEqual([AT]);
    },
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

const TABLE_HEAD = `# What comes of each operation when one step of it goes wrong each time

Written by \`faults.webhdfs.test.ts\`, which fails when it is not so (\`-u\` writes it anew). A fault that comes once is overcome, in every cell. One that stays ends in time, with a
COLD_FAILED that names the step, or COLD_COPY_TORN; what is visible is the old file or the new one, whole, and what was half made is gone. \`done\`: what reached HDFS was carried out though no answer said so, and was
looked at; a leftover that cannot be removed is swept up later; and the few bytes of a probe are through in time however slow. \`left out\`: the listing goes on without the file, and looks at it again next time.`;

const CASES = Object.entries(WORK).flatMap(([name, { steps }]) =>
  steps.flatMap((step) => FAULTS.map((fault) => [name, step, fault] as const)),
);

let hdfs: TestHdfs;
let proxy: FaultProxy;
/** By the root of the case: what shall happen to which step, and how often. */
const plans = new Map<string, { readonly step: Step; readonly fault: Fault; left: number; met: boolean }>();
/** What came of each case under a fault that stays. */
const outcomes = new Map<string, Outcome>();

beforeAll(async () => {
  hdfs = await testHdfs({ dataNodes: 2 });
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

async function underFault([name, step, fault]: readonly [string, Step, Fault], times: number): Promise<Outcome> {
  const work = WORK[name];
  if (work === undefined) throw new Error(name);
  await using cold = webHdfsHarness(hdfs, { address: proxy.authority, times: TIMES, replicas: 2 });
  await using temp = await tempDir();
  const dir = await mkdtemp(join(temp.path, 'here-'));
  await cold.place(AT, OLD);
  await work.prepare?.(cold);
  const plan = { step, fault, left: times, met: false };
  plans.set(cold.root, plan);
  const outcome = await work.run(cold, dir).then((said) => (said === 'left out' ? said : 'done'), outcomeOf);
  plans.delete(cold.root);
  if (outcome === 'FAILED' || outcome === 'TORN') await work.failed(cold, dir);
  else await work.done(cold, dir);
  expect(plan.met, 'the step was taken').toBe(true);
  return outcome;
}

function outcomeOf(error: unknown): Outcome {
  if (error instanceof TroughError && error.code === 'COLD_FAILED') return 'FAILED';
  if (error instanceof TroughError && error.code === 'COLD_COPY_TORN') return 'TORN';
  throw error;
}

describe('a fault that passes is overcome', () => {
  test.concurrent.for(CASES)('%s: %s %s', async (one) => {
    expect(await underFault(one, 1)).toBe('done');
  });
});

describe('a fault that stays is reported in time, and tears nothing', () => {
  test.concurrent.for(CASES)('%s: %s %s', async (one) => {
    outcomes.set(one.join(' '), await underFault(one, Infinity));
  });

  test('as the table says', async () => {
    await expect(faultTable()).toMatchFileSnapshot('./faults.md');
  });
});

/** A row for each step of each operation, a column for each fault. */
function faultTable(): string {
  const rows = Object.entries(WORK).flatMap(([name, { steps }]) =>
    steps.map((step) => [
      name,
      step,
      ...FAULTS.map((fault) => outcomes.get([name, step, fault].join(' ')) ?? 'not run'),
    ]),
  );
  const lines = [['operation', 'step', ...FAULTS], ['---', '---', ...FAULTS.map(() => '---')], ...rows];
  return `${TABLE_HEAD}\n\n${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`;
}
