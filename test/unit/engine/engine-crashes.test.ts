import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { isAlive } from '../../support/process-tree.ts';
import { eventually } from '../../support/eventually.ts';
import { bodyOf, ENDLESS, numbers, processorTicks, testEngine } from './engine-fixture.ts';
import { stampedScript } from '../../support/stamped.ts';

test('children killed at random under load: every answer is right, or an error that says so', async () => {
  await using at = await testEngine({ queryChildren: 2 });
  at.make('s', `create table t (id integer primary key, b); insert into t ${numbers(5_000, 30)}`);
  await at.text({ sql: 'select 1' });
  let [right, died, asked, isDone] = [0, 0, 0, false];
  const asker = async (): Promise<void> => {
    while (!isDone) {
      asked += 1;
      const id = (asked % 5_000) + 1;
      // One in four is a stream.
      const isStream = asked % 4 === 0;
      const sql = isStream ? 'select id, b from t' : `select id, b from t where id = ${String(id)}`;
      try {
        const text = await bodyOf(
          await at.query({ sql, segment: `s${String(asked % 3)}`, file: at.fileOf('s'), format: 'ndjson' }),
        );
        const lines = text.trimEnd().split('\n');
        expect(lines).toHaveLength(isStream ? 5_000 : 1);
        const first = isStream ? 1 : id;
        expect(lines[0]).toBe(`{"id":${String(first)},"b":"${String(first).padStart(30, '0')}"}`);
        right += 1;
      } catch (error) {
        expect(error).toMatchObject({ code: 'ENGINE_CHILD_DIED' });
        died += 1;
      }
    }
  };
  const askers = Array.from({ length: 12 }, asker);
  for (let kill = 0; kill < 12; kill += 1) {
    const pids = at.engine.childPids();
    const victim = pids[kill % pids.length] ?? 0;
    process.kill(victim, 'SIGKILL');
    await eventually('the child is replaced', () => !at.engine.childPids().includes(victim), 60_000);
    const target = right + 30;
    await eventually('answers go on', () => right >= target, 60_000);
  }
  isDone = true;
  await Promise.all(askers);
  expect(right + died).toBe(asked);
  expect(right).toBeGreaterThan(300);
  // On a busy machine the engine itself may end a child whose query seems to take long; it replaces that one as well.
  const { restarts, kills } = at.engine.stats();
  expect(restarts).toBeGreaterThanOrEqual(12);
  expect(restarts).toBeLessThanOrEqual(12 + kills);
});

test('a query whose child is killed twice fails and says so', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  at.make('s', '');
  await at.text({ sql: 'select 1' });
  const answer = at.query({ sql: ENDLESS }).catch((error: unknown) => error);
  for (let kill = 1; kill <= 2; kill += 1) {
    // A child that starts uses half a second of processor time at most; the query is what goes on.
    const pid = await eventually('the query runs', () =>
      at.engine.childPids().find((each) => processorTicks(each) > 100),
    );
    process.kill(pid, 'SIGKILL');
    await eventually('the death is seen', () => at.engine.stats().restarts === kill);
  }
  expect(await answer).toMatchObject({ code: 'ENGINE_CHILD_DIED' });
});

test('a write session knows when its child was killed, and every commit that was answered is there', async () => {
  await using at = await testEngine();
  const open = () => at.engine.openWriter({ segment: 'w', file: at.fileOf('w'), schemaSql: 'create table t (a)' });
  let session = await open();
  let committed = 0;
  for (let round = 0; round < 3; round += 1) {
    const before = new Set(at.engine.childPids());
    const victim = [...before][2] ?? 0;
    const life = { isLost: false };
    void session.lost.then(() => (life.isLost = true));
    while (!life.isLost) {
      try {
        await session.apply([stampedScript(`insert into t values (${String(committed + 1)})`)], 5_000);
        await session.commit();
        committed += 1;
        if (committed % 20 === 19) process.kill(victim, 'SIGKILL');
      } catch (error) {
        expect(error).toMatchObject({ code: 'ENGINE_CHILD_DIED' });
        await session.lost;
      }
    }
    session = await open();
    const rows = Number(
      await at
        .text({ segment: 'w', live: true, sql: 'select count(*) from t', format: 'csv' })
        .then((text) => text.split('\r\n')[1]),
    );
    // The last commit may have been done though nobody heard of it.
    expect([committed, committed + 1]).toContain(rows);
    committed = rows;
  }
  expect(committed).toBeGreaterThan(50);
});

test('a local database goes on after its child was killed', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  const database = await at.engine.openDatabase(`${at.path}/local.sqlite`, ['create table t (a)']);
  await database.run([{ sql: 'insert into t values (1)' }]);
  const restarts = at.engine.stats().restarts;
  process.kill(at.engine.childPids()[1] ?? 0, 'SIGKILL');
  await eventually('the death is seen', () => at.engine.stats().restarts > restarts);
  expect(await database.all('select a from t')).toEqual([[1]]);
});

test('stopping lets running queries end, refuses new ones, and leaves no process', async () => {
  const at = await testEngine({ graceMs: 5_000 });
  at.make('s', '');
  await at.text({ sql: 'select 1' });
  const session = await at.engine.openWriter({ segment: 'w', file: at.fileOf('w'), schemaSql: '' });
  const pids = at.engine.childPids();
  expect(pids.length).toBeGreaterThanOrEqual(4);
  const running = at.text({ sql: `select count(*) as n from (${numbers(300_000)})` });
  const stopping = at.engine[Symbol.asyncDispose]();
  await expect(at.query({ sql: 'select 1' })).rejects.toMatchObject({ code: 'ENGINE_STOPPED' });
  expect(await running).toBe('{"n":300000}');
  await stopping;
  await expect(session.commit()).rejects.toMatchObject({ code: expect.stringMatching(/^ENGINE_/) as string });
  expect(pids.filter(isAlive)).toEqual([]);
  await at[Symbol.asyncDispose]();
});

test('stopping does not wait for ever for a query that does not end', async () => {
  const at = await testEngine({ graceMs: 50 });
  at.make('s', '');
  await at.text({ sql: 'select 1' });
  const pids = at.engine.childPids();
  const endless = at.query({ sql: ENDLESS, deadlineMs: 60_000 }).catch((error: unknown) => error);
  await at.engine[Symbol.asyncDispose]();
  expect(await endless).toMatchObject({ code: 'ENGINE_STOPPED' });
  expect(pids.filter(isAlive)).toEqual([]);
  await at[Symbol.asyncDispose]();
});

test('stopping right after somebody has left a query that does not end leaves no process', async () => {
  const at = await testEngine({ queryChildren: 1, slowChildren: 1 });
  at.make('s', '');
  await at.text({ sql: 'select 1' });
  const [pid = 0] = at.engine.childPids();
  const leave = new AbortController();
  const endless = at.query({ sql: ENDLESS }, leave.signal).catch((error: unknown) => error);
  const ticks = processorTicks(pid);
  // At once: after some 100 ms it counts as a long one, whose process has no successor.
  while (processorTicks(pid) < ticks + 4) await new Promise((resolve) => setImmediate(resolve));
  leave.abort();
  expect(await endless).toMatchObject({ code: 'ENGINE_CANCELLED' });
  // The process has been told by then, and its time to hear it runs.
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  await at.engine[Symbol.asyncDispose]();
  expect(at.engine.childPids()).toEqual([]);
  expect(isAlive(pid)).toBe(false);
  await at[Symbol.asyncDispose]();
});

const SHORT_OF_FILES = `
  import { closeSync, openSync } from 'node:fs';
  import { setTimeout } from 'node:timers/promises';
  import { ProcessEngine } from ${JSON.stringify(new URL('../../../src/engine/pool.ts', import.meta.url).href)};
  const engine = new ProcessEngine({ nodePath: process.execPath, queryChildren: 1 });
  const ask = () => engine.query({ segment: 's', file: process.argv[1], version: '1', live: false, sql: 'select 1', format: 'rows', bigints: 'digits', deadlineMs: 60000 });
  await ask();
  const taken = [];
  try { for (;;) taken.push(openSync('/dev/null')); } catch (error) { process.stdout.write(error.code + '\\n'); }
  process.kill(engine.childPids()[0], 'SIGKILL');
  // Its sockets are given back when it is gone: they are taken too.
  while (engine.stats().restarts < 3) {
    try { for (;;) taken.push(openSync('/dev/null')); } catch { await setTimeout(1); }
  }
  await engine.checkSchema('').catch((error) => process.stdout.write(error.code + '\\n'));
  for (const fd of taken) closeSync(fd);
  while (engine.childPids().length === 0) await setTimeout(10);
  await ask();
  await engine[Symbol.asyncDispose]();
  process.stdout.write('answered\\n');
`;

test('where no process can be started for a while, queries are answered again afterwards', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  const script = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', SHORT_OF_FILES];
  const parent = spawn(
    '/bin/sh',
    ['-c', 'ulimit -n 100; exec "$@"', 'sh', process.execPath, ...script, at.make('s', '')],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let said = '';
  parent.stdout.on('data', (bytes: Buffer) => (said += bytes.toString('utf8')));
  const [code] = (await once(parent, 'close')) as [number | null];
  expect([code, said]).toEqual([0, 'EMFILE\nENGINE_CHILD_DIED\nanswered\n']);
});

const ORPHANING = `
  import { ProcessEngine } from ${JSON.stringify(new URL('../../../src/engine/pool.ts', import.meta.url).href)};
  const engine = new ProcessEngine({ nodePath: process.execPath, queryChildren: 2 });
  const ask = (sql) => engine.query({ segment: 's', file: process.argv[1], version: '1', live: false, sql, format: 'rows', bigints: 'digits', deadlineMs: 600000 });
  await ask('select 1');
  ask(${JSON.stringify(ENDLESS)});
  process.stdout.write(JSON.stringify(engine.childPids()) + '\\n');
`;

test('children whose parent was killed end too, even in the middle of an endless query', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  const file = at.make('s', '');
  const parent = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', ORPHANING, file],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pids = JSON.parse(line.toString('utf8')) as number[];
  expect(pids.map(isAlive)).toEqual([true, true]);
  parent.kill('SIGKILL');
  await eventually('no child is left', () => !pids.some(isAlive), 5_000);
});
