import { moveWriter, writeTo } from '../../test/support/api.ts';
import { clusterNode } from '../../test/support/cluster-node.ts';
import { natsServer } from '../../test/support/nats-server.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { type Record } from '../support/stage.ts';
import { INSERT, writable, writeUrl } from './segments.ts';

const RECORDS = 1_000;
const IN_A_RECORD = 100;

/**
 * A segment that has writes in its journal alone is moved to another node, which opens it by replaying them: from the request to the answer, with
 * all that a hand-over takes besides.
 */
export async function handOvers(inserts: number, record: Record): Promise<void> {
  await using nats = await natsServer();
  await using directory = await tempDir();
  const start = clusterNode(nats, directory, ['--log-level', 'warn']);
  await using first = await start('n1');
  const [few = '', some = '', many = ''] = await writable(first, 3);
  for (let written = 0; written < RECORDS; written += 1) await writeTo(writeUrl(first, some), INSERT);
  const batch = Array.from({ length: IN_A_RECORD }, () => INSERT).join(';');
  for (let written = 0; written < inserts; written += IN_A_RECORD) await writeTo(writeUrl(first, many), batch);
  await using second = await start('n2');
  const to = second.ready.node;
  const emptyMs = await timed(() => moveWriter(first, few, to));
  const someMs = await timed(() => moveWriter(first, some, to));
  const manyMs = await timed(() => moveWriter(first, many, to));
  record('moved with nothing to replay, ms', 'trough', emptyMs);
  record(`moved with ${String(RECORDS)} records to replay, ms`, 'trough', someMs);
  record('small inserts replayed/s, hand-over and all', 'trough', inserts / (manyMs / 1_000));
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const beganAt = performance.now();
  await work();
  return performance.now() - beganAt;
}
