import { expect, test } from 'vitest';
import { type PlanAnswer, type SegmentAnswer, type StatusAnswer } from '../../../src/messages/control.ts';
import { type SegmentRuleRow } from '../../../src/messages/segment-rule.ts';
import { cli, type CliRun, type CliSetting } from './cli-harness.ts';
import { FakeTrough } from './fake-trough.ts';

interface Run extends CliRun {
  readonly seen: readonly { readonly method: string; readonly url: string; readonly body: string }[];
}

/** Runs one command against a manager that gives one answer. */
async function run(args: readonly string[], answer: object, given: CliSetting = {}): Promise<Run> {
  await using fake = await FakeTrough.start();
  const seen: { method: string; url: string; body: string }[] = [];
  fake.answer = (request, response, body) => {
    seen.push({ method: request.method ?? '', url: request.url ?? '', body });
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    return true;
  };
  return { ...(await cli(args, { ...given, env: fake.env })), seen };
}

const node = {
  ...{ node: 'n1', zone: 'z', roles: ['reader'], state: 'alive' as const },
  ...{ quotaBytes: 1e9, storedBytes: 2e6, copies: 7, pending: 0, pendingBytes: 0, leftMs: null },
  ...{ leases: 1, load: 0.5, beatAgeMs: 900, drain: null, damaged: 0, lostFiles: 0, unfetchable: null },
};
const calm: StatusAnswer = {
  leader: { node: 'n1', term: 3 },
  nodes: [node],
  segments: { hot: 7, cold: 1, writable: 1, hotBytes: 2e6, coldBytes: 1e3 },
  placement: {
    epoch: 2,
    underReplicated: 0,
    slotsUnderReplicated: 0,
    moves: 0,
    waiting: 0,
    leftMs: null,
    overQuota: [],
  },
  rules: { segments: 0, hot: 0, short: [] },
};
const busy: StatusAnswer = {
  ...calm,
  nodes: [
    { ...node, pending: 40, pendingBytes: 4e6, leftMs: 90_000 },
    { ...node, node: 'n2', drain: { sinceMs: 1, state: 'waiting' } },
    { ...node, node: 'n3', drain: { sinceMs: 1, state: 'draining' } },
  ],
  placement: {
    ...{ epoch: 3, underReplicated: 40, slotsUnderReplicated: 9, moves: 100, waiting: 7, leftMs: 90_000 },
    overQuota: [{ node: 'n1', plannedBytes: 2e9, quotaBytes: 1e9 }],
  },
};

test('the status of a calm cluster is a line each for leader, segments and nodes', async () => {
  const { code, out } = await run(['status'], calm);
  expect(code).toBe(0);
  expect(out).toBe(
    [
      'n1 leads (term 3); placement epoch 2',
      'segments: 7 hot (2.00 MB), 1 cold (1.00 kB), 1 writable',
      '',
      'node  zone  state  roles   stored   quota    copies  to fetch  leases  load  last beat',
      'n1    z     alive  reader  2.00 MB  1.00 GB       7         0       1   0.5  0.9 s ago',
      '',
    ].join('\n'),
  );
});

test('what moves, what is missing, what waits and what is too full has a line of its own', async () => {
  const { out } = await run(['status'], busy);
  expect(out.split('\n').slice(2, 7)).toEqual([
    'under-replicated: 9 slots have fewer copies in service than they should',
    'moves: 100 places change their node; 40 copies (4.00 MB) to fetch, about 2 min left',
    'waiting: 7 more places change their node after those',
    "drain of n2 waits: segments would have fewer copies without it; add a node, or lower 'copies'",
    'over quota: n1 is to hold 2.00 GB of 1.00 GB; add nodes, or raise quotas',
  ]);
  expect(out).toMatch(/n2 +z +alive, drain waits/);
  expect(out).toMatch(/n3 +z +alive, draining/);
});

test('damaged copies and lost files have a line each, and one node shows what is in its lost+found', async () => {
  const files = [
    { file: 'copies/86400000.a.sqlite', sizeBytes: 2_000, foundMs: 86_400_000, goesMs: 172_800_000 },
    { file: 'b.hot-3-1.sqlite', sizeBytes: 1_000, foundMs: null, goesMs: null },
  ];
  const answer = { ...calm, nodes: [{ ...node, damaged: 2, lostFiles: 3 }], lost: { files, more: 1 } };
  const { out, seen } = await run(['status', 'n1'], answer);
  expect(seen).toMatchObject([{ url: '/v1/status?node=n1' }]);
  expect(out.split('\n').slice(2, 4)).toEqual([
    'damaged: 2 copies on n1 are missing or wrong, and are replaced',
    'lost+found: 3 files on n1 that nobody asked for; trough status n1',
  ]);
  expect(out).toMatch(/copies\/86400000\.a\.sqlite +2\.00 kB +1970-01-02T00:00 +1970-01-03T00:00\n/);
  expect(out).toMatch(/b\.hot-3-1\.sqlite +1\.00 kB +- +-\nand 1 more\n$/);
  const empty = await run(['status', 'n1'], { ...calm, lost: { files: [], more: 0 } });
  expect(empty.out).toMatch(/\nlost\+found is empty\n$/);
});

test('the status is watched until a signal, or until nobody reads any more', async () => {
  let send: ((signal: 'SIGINT') => void) | undefined;
  const stopping = {
    toJSON: (): StatusAnswer => {
      send?.('SIGINT');
      return calm;
    },
  };
  const stopped = await run(['status', '--watch', '--json'], stopping, {
    signals: (sender) => {
      send = sender;
    },
  });
  expect(stopped.code).toBe(0);
  expect(stopped.seen).toHaveLength(1);
  const left = await run(['status', '--watch'], calm, { closesAfter: 0 });
  expect(left).toMatchObject({ code: 0, out: '' });
  expect(left.seen).toHaveLength(1);
});

test('where names slot, lease and the reason of each node, and gives all of it as JSON', async () => {
  const report = { copy: { version: 7, sizeBytes: 10, verifiedMs: 0 }, writable: false, wanted: null };
  const place = { zone: 'z', state: 'alive', report };
  const answer: SegmentAnswer = {
    ...{ id: 'a b', slot: 10, tier: 'hot', version: 7, sizeBytes: 10, sha256: null, schema: null, state: 'read-only' },
    copies: 2,
    nodes: [
      { ...place, node: 'n1', rank: 0, target: true, serving: true, served: true, why: 'verified' },
      { ...place, node: 'n3', rank: 1, target: false, serving: true, served: false, why: 'no', report: null },
    ],
    lease: { node: 'n1', epoch: 2, state: 'released', version: 7, unpromoted: false },
  };
  const { out, seen } = await run(['where', 'a b'], answer);
  expect(seen).toMatchObject([{ method: 'GET', url: '/v1/segments/a%20b' }]);
  expect(out).toBe(
    [
      'a b: slot 000a, read-only, 2 copies; in cold storage: version 7 (10 B)',
      'lease: released, last held by n1 (epoch 2); published version 7',
      '',
      'node  rank     zone  state  version  verified             served  why',
      'n1    0        z     alive  7        1970-01-01 00:00:00  yes     verified',
      'n3    leaving  z     alive  -        -                    no      no',
      '',
    ].join('\n'),
  );
  expect(JSON.parse((await run(['where', 'a b', '--json'], answer)).out)).toEqual(answer);
});

test('a plan says what would move, how long it would take, and for each node', async () => {
  const answer: PlanAnswer = {
    nodes: [
      {
        ...{ node: 'n1', zone: 'z', quotaBytes: 1e9, places: { before: 10, after: 15 } },
        ...{ bytes: { before: 1e6, after: 2e6 }, gains: { places: 5, copies: 12, bytes: 1e6 }, ms: 600 },
        overQuota: false,
      },
    ],
    moves: { places: 5, slots: 4, copies: 12, bytes: 1e6 },
    ms: 600,
    rate: { basis: 'assumed', copiesPerSecond: 20, bytesPerSecond: 50e6 },
    notes: ['so it is'],
  };
  const args = ['plan', '--without', 'n2', '--without', 'n3', '--with', 'n9:500GB:r2', '--dry-run'];
  const { code, out, seen } = await run(args, answer);
  expect(code).toBe(0);
  expect(seen).toMatchObject([{ method: 'GET', url: '/v1/plan?without=n2%2Cn3&with=n9%3A500GB%3Ar2' }]);
  expect(out).toBe(
    [
      '5 places in 4 slots would move: 12 copies, 1.00 MB, about 1 s',
      'at 20.0 copies/s and 50.0 MB/s to a node (assumed: nothing was fetched yet)',
      'note: so it is',
      '',
      'node  zone  quota    bytes now  bytes then  slots now  slots then  to fetch  bytes    time',
      'n1    z     1.00 GB  1.00 MB    2.00 MB            10          15        12  1.00 MB  1 s',
      '',
    ].join('\n'),
  );
  expect(JSON.parse((await run(['plan', '--json'], answer)).out)).toEqual(answer);
});

test.each([
  [['plan', '--with', 'n9'], /--with: 'n9' is not NAME:QUOTA/],
  [['plan', '--without', '../x'], /--without: .* is not a node name/],
  [['drain', '../x'], /NODE: .* is not a node name/],
])('%j is wrong usage', async (args, expected) => {
  const { code, err, seen } = await run(args, {});
  expect({ code, seen }).toEqual({ code: 2, seen: [] });
  expect(err).toMatch(expected);
});

test('drain and undrain say what changed', async () => {
  const drained = await run(['drain', 'n3'], { node: 'n3', sinceMs: 5, changed: true });
  expect(drained.seen).toMatchObject([{ method: 'POST', url: '/v1/drain', body: '{"node":"n3"}' }]);
  expect(drained.out).toMatch(/^n3 is being drained; 'trough status' shows/);
  expect((await run(['drain', 'n3'], { node: 'n3', sinceMs: 5, changed: false })).out).toMatch(/already/);
  const back = await run(['undrain', 'n3'], { node: 'n3', sinceMs: null, changed: true });
  expect([back.seen[0]?.url, back.out]).toEqual(['/v1/undrain', 'n3 gets its share again\n']);
});

const ruled: SegmentRuleRow = {
  ...{ segment: 'ATL', copies: 5, tier: null, sinceMs: 0, hot: null, placed: 3 },
  gets: { copies: 5, tier: 'hot' },
  bySettings: { copies: 2, tier: 'hot' },
};

test('a rule is set, removed and listed', async () => {
  const set = await run(['rule', 'set', 'ATL', '--copies', '5'], { rules: [ruled], changed: true });
  expect(set.seen).toMatchObject([{ method: 'POST', url: '/v1/segments/ATL/rule', body: '{"copies":5}' }]);
  expect(set.out).toBe('ATL: tier hot, 5 copies (the settings say hot, 2)\n');
  const cold = { ...ruled, copies: null, tier: 'cold', gets: { copies: 2, tier: 'cold' }, placed: 0 };
  const tier = await run(['rule', 'set', 'ATL', '--tier', 'cold'], { rules: [cold], changed: true });
  expect(tier.seen).toMatchObject([{ body: '{"tier":"cold"}' }]);
  expect(tier.out).toBe('ATL: tier cold, no copies (the settings say hot, 2)\n');

  const removed = await run(['rule', 'remove', 'ATL'], { rules: [], changed: true });
  expect(removed.seen).toMatchObject([{ method: 'DELETE', url: '/v1/segments/ATL/rule' }]);
  expect(removed.out).toBe('ATL is as the settings say again\n');
  const none = await run(['rule', 'remove', 'ATL'], { rules: [], changed: false });
  expect(none.out).toBe('ATL had no rule of its own\n');

  const hot = {
    ...ruled,
    segment: 'LAX',
    copies: null,
    hot: { copies: 3, sinceMs: 0 },
    gets: { copies: 3, tier: 'hot' },
  };
  const list = await run(['rule', 'list'], { rules: [ruled, cold, hot], changed: false });
  expect(list.out).toMatch(/ATL +5 +hot +hot, 2 +3 +an operator asked for it; 2 have no node\n/);
  expect(list.out).toMatch(/ATL +- +cold +hot, 2 +- +an operator asked for it\n/);
  expect(list.out).toMatch(/LAX +3 +hot +hot, 2 +3 +read very much since 1970-01-01T00:00:00Z\n/);
  expect((await run(['rule', 'ls'], { rules: [], changed: false })).out).toBe('');
});

test('a rule that says nothing, or what no rule can say, is refused before anything is asked', async () => {
  for (const args of [[], ['--copies', '0'], ['--copies', 'many'], ['--tier', 'warm']]) {
    const { code, seen } = await run(['rule', 'set', 'ATL', ...args], {});
    expect([code, seen]).toEqual([2, []]);
  }
});

test('the status says how many segments have rules, and which cannot have what they say', async () => {
  const rules = { segments: 4, hot: 1, short: [{ segment: 'ATL', copies: 5, placed: 3 }] };
  const { out } = await run(['status'], { ...calm, rules });
  expect(out.split('\n').slice(2, 4)).toEqual([
    'rules: 4 segments have copies or a tier of their own; 1 have more copies while they are read so much; trough rule list',
    'too few nodes: ATL is to have 5 copies, and there are nodes for 3',
  ]);
});

test('the status names a copy that cannot be had, with the reason', async () => {
  const unfetchable = { copies: 7, segment: 'ATL', code: 'COLD_MISSING' };
  const { out } = await run(['status'], { ...calm, nodes: [{ ...node, unfetchable }] });
  expect(out.split('\n')[2]).toBe(
    'missing: 7 copies cannot be fetched to n1, such as ATL (COLD_MISSING); trough where ATL',
  );
});
