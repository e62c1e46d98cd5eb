import Database from 'better-sqlite3';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CopyTable } from '../../src/actors/copies/copy-table.ts';
import { INVENTORY_MIGRATIONS } from '../../src/actors/copies/inventory.ts';
import { dataPaths } from '../../src/model/paths.ts';
import { parseSegmentId, type SegmentId } from '../../src/model/segment-id.ts';
import { natsServer } from '../../test/support/nats-server.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { trough } from '../../test/support/trough-process.ts';
import { fill } from '../support/dataset.ts';
import { say } from '../support/say.ts';
import { usageOf } from '../support/usage.ts';

const RESTART_LIMIT_MS = 15_000;
const LOOKUPS = 1_000_000;
const ROUNDS = 5;
const SHA256 = 'ab'.repeat(32);

function idAt(index: number): SegmentId {
  return parseSegmentId(`crawl-${String(index).padStart(9, '0')}`);
}

/**
 * A node whose inventory names so many copies: from its start to the first answer, and its memory then. No file of theirs is there but the one
 * that is read: a start that looked at files would not find them.
 */
export async function measureInventory(counts: readonly number[]): Promise<readonly string[]> {
  const failures: string[] = [];
  await using nats = await natsServer();
  say('  a node (reader and sync-local) that starts with copies in its inventory:');
  for (const count of counts) {
    await using dir = await tempDir();
    prepare(dir.path, count);
    const startedAt = performance.now();
    await using node = await trough({
      data: dir.path,
      args: [
        '--role',
        'reader,sync-local',
        '--nats',
        nats.url,
        '--cold',
        join(dir.path, 'cold'),
        '--log-level',
        'error',
      ],
    });
    const answer = await fetch(`${node.ready.urls.read ?? ''}/?segment=${idAt(0)}`, {
      method: 'POST',
      body: 'select x from t',
    });
    const text = await answer.text();
    const ms = performance.now() - startedAt;
    if (!text.includes('7')) throw new Error(`no answer: ${text}`);
    const all = await usageOf(node.pid);
    say(
      `    ${count.toLocaleString('en-US').padStart(9)} copies: first answer after ${(ms / 1_000).toFixed(1)} s; ` +
        `PSS ${all.pssMiB.toFixed(0)} MiB in ${String(all.processes)} processes`,
    );
    if (ms > RESTART_LIMIT_MS) failures.push(`a start with ${String(count)} copies took ${(ms / 1_000).toFixed(1)} s`);
  }
  compareLookups(Math.min(LOOKUPS, ...counts.slice(-1)));
  return failures;
}

function prepare(data: string, count: number): void {
  const paths = dataPaths(data);
  mkdirSync(join(data, 'cold', '.trough-tmp'), { recursive: true });
  const file = paths.copy(idAt(0));
  mkdirSync(dirname(file), { recursive: true });
  const database = new Database(file);
  database.exec('create table t (x); insert into t values (7)');
  database.close();
  const insert = 'insert into copies values (?, ?, ?, ?, ?)';
  fill(paths.inventory, INVENTORY_MIGRATIONS, insert, count, (index) => [
    idAt(index),
    1.79e12 + index,
    8_192,
    SHA256,
    1.79e12,
  ]);
}

/** What a point read asks first. The baseline is what it was before: a Map of records. */
function compareLookups(count: number): void {
  const table = new CopyTable();
  const map = new Map<string, { version: number; sizeBytes: number; sha256: string; verifiedMs: number }>();
  for (let index = 0; index < count; index += 1) {
    const copy = { version: 1.79e12 + index, sizeBytes: 8_192 };
    table.set(idAt(index), copy);
    map.set(idAt(index), { ...copy, sha256: SHA256, verifiedMs: 1.79e12 });
  }
  const inTable = fastest(count, (id) => table.get(id)?.sizeBytes);
  const inMap = fastest(count, (id) => map.get(id)?.sizeBytes);
  say(
    `  looking one of ${count.toLocaleString('en-US')} copies up: ${inTable.toFixed(0)} ns; ` +
      `in a Map of records ${inMap.toFixed(0)} ns; best of ${String(ROUNDS)} rounds`,
  );
}

/** Nanoseconds of one call, with ids that are new strings, as those of requests are. */
function fastest(count: number, look: (id: SegmentId) => number | undefined): number {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const ids = Array.from({ length: 200_000 }, () => idAt(Math.floor(Math.random() * count)));
    const startedAt = performance.now();
    let found = 0;
    for (const id of ids) found += look(id) ?? 0;
    if (found !== ids.length * 8_192) throw new Error('not all were found');
    best = Math.min(best, ((performance.now() - startedAt) * 1e6) / ids.length);
  }
  return best;
}
