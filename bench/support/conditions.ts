import Database from 'better-sqlite3';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { type Plan } from './plan.ts';

/** What all figures depend on, as lines of text. */
export function conditions({ troughArgs }: Pick<Plan, 'troughArgs'>): readonly string[] {
  const [cpu] = cpus();
  const gib = (totalmem() / 2 ** 30).toFixed(0);
  const packages = ['better-sqlite3', 'nats'].map((name) => `${name} ${versionOf(`node_modules/${name}`)}`);
  const flags = troughArgs.length === 0 ? '' : `, flags ${troughArgs.join(' ')}`;
  return [
    `machine: ${String(cpus().length)} x ${cpu?.model ?? 'unknown processor'}, ${gib} GiB, Linux ${release()}, load ${(loadavg()[0] ?? 0).toFixed(2)} before the start`,
    `trough ${versionOf('.')}, Node ${process.versions.node}, ${packages.join(', ')}, SQLite ${sqliteVersion()}${flags}`,
    'one node with all roles and its own nats-server; a segment is a database of 1,000 rows',
    'the load, a closed loop on bare sockets in one process, shares the processors with the servers',
  ];
}

function versionOf(directory: string): string {
  const file = new URL(`../../${directory}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function sqliteVersion(): string {
  const database = new Database(':memory:');
  const version = database.prepare('select sqlite_version()').pluck().get();
  database.close();
  return String(version);
}
