import { WebHdfs } from '../../src/cold/webhdfs/webhdfs.ts';
import { silentLog } from '../../src/log.ts';
import { parseColdPlace, type WebHdfsPlace } from '../../src/model/cold-place.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { type TestHdfs } from '../../test/support/hdfs.ts';
import { say } from '../support/say.ts';

const DIRECTORIES = 1_000;
const NEW_FILES = 100;
const LONG_AGO_MS = 3_600_000;
const MOST_MS = 5_000;

/** How soon new files among very many are found. The figures that are not reached, as sentences. */
export async function measureDiscovery(hdfs: TestHdfs, files: number): Promise<string[]> {
  const root = '/found';
  const pathOf = (number: number): string => {
    const directory = String(number % DIRECTORIES).padStart(4, '0');
    return `${root}/d-${directory}/d-${directory}${String(number).padStart(9, '0')}.sqlite`;
  };
  await hdfs.fill(Array.from({ length: files }, (_, number) => pathOf(number)));
  await hdfs.age(root, LONG_AGO_MS);
  const place = parseColdPlace(`webhdfs://root@${hdfs.authority}${root}`) as WebHdfsPlace;
  using store = new WebHdfs({ place, clock: systemClock, random: Math.random }, silentLog);
  const first = await listed(store, undefined);
  const idle = await listed(store, first.cursor);
  await hdfs.fill(Array.from({ length: NEW_FILES }, (_, number) => pathOf(files + number * 7)));
  const found = await listed(store, idle.cursor);
  say(
    `discovery          first listing of ${String(first.files)} files ${first.ms.toFixed(0)} ms; with nothing new ${idle.ms.toFixed(0)} ms; ` +
      `${String(found.files)} new files found in ${found.ms.toFixed(0)} ms (most ${String(MOST_MS)})`,
  );
  const failures: string[] = [];
  if (first.files !== files || idle.files !== 0 || found.files !== NEW_FILES)
    failures.push(
      `discovery: ${String(first.files)}, ${String(idle.files)} and ${String(found.files)} files were named`,
    );
  if (found.ms > MOST_MS) failures.push(`discovery: ${found.ms.toFixed(0)} ms, not ${String(MOST_MS)}`);
  return failures;
}

async function listed(
  store: WebHdfs,
  from: string | undefined,
): Promise<{ readonly cursor: string; readonly files: number; readonly ms: number }> {
  const startedAt = performance.now();
  let [cursor, files] = ['', 0];
  for await (const event of store.list(from)) {
    if (event.kind === 'file') files += 1;
    if (event.kind === 'done') ({ cursor } = event);
  }
  return { cursor, files, ms: performance.now() - startedAt };
}
