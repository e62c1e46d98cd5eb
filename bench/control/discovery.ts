import { linkSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Catalogue } from '../../src/actors/leader/catalogue.ts';
import { CATALOGUE_MIGRATIONS } from '../../src/actors/leader/catalogue-tables.ts';
import { LocalDirectory } from '../../src/cold/local-directory.ts';
import { ProcessEngine } from '../../src/engine/pool.ts';
import { coldPath } from '../../src/model/cold-path.ts';
import { parseSegmentId, type SegmentId } from '../../src/model/segment-id.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { FakeCluster } from '../../test/support/fake-cluster.ts';
import { recordingLog } from '../../test/support/recording-log.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { say } from '../support/say.ts';

const NEW = 1_000;
const LIMIT_MS = 10_000;
/** ext4 allows 65,000 names for one file. */
const NAMES_PER_FILE = 50_000;
/** A directory that changed a moment ago is not trusted yet. */
const SETTLED_MS = 3_000;
/** What was there before was not written a moment ago: such files are looked at again. */
const MODIFIED_MS = Date.UTC(2026, 0, 1);

/** How long it takes until the catalogue has files that somebody put beside very many others in a local directory. */
export async function measureDiscovery(files: number): Promise<readonly string[]> {
  const failures: string[] = [];
  await using dir = await tempDir();
  const root = join(dir.path, 'cold');
  const put = makeFiles(root, files);
  await using engine = new ProcessEngine({ nodePath: process.execPath, queryChildren: 1 });
  const file = join(dir.path, 'catalogue.sqlite');
  await using database = await engine.openDatabase(file, CATALOGUE_MIGRATIONS);
  const { log, lines } = recordingLog();
  const found = { rows: 0, at: 0 };
  const catalogue = new Catalogue({
    ...{ clock: systemClock, database, engine, file, log, view: new FakeCluster().view },
    cold: new LocalDirectory({ root }),
    rule: () => ({ copies: 2, tier: 'hot' }),
    emit: ({ rows }) => {
      found.rows += rows.length;
      found.at = performance.now();
    },
  });
  const scan = (what: string, expected: number): Promise<number> => {
    found.rows = 0;
    return timed(catalogue, found, what, expected);
  };
  say(`  discovery among ${files.toLocaleString('en-US')} files of a local directory, a thousand to a folder:`);
  await scan('the first listing', files);
  const said = lines.filter(({ msg }) => msg === 'cold storage is being listed').length;
  say(`    of which the log said ${String(said)} times how far it was`);
  await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
  await scan('nothing new', 0);
  const cases: readonly (readonly [string, (index: number) => SegmentId])[] = [
    ['1,000 new files in one new folder', (index) => idAt(files + index)],
    [
      '1,000 new files, one in each of as many folders',
      (index) => parseSegmentId(`${idAt(index * (files / NEW)).slice(0, -3)}x${String((index % 90) + 10)}`),
    ],
  ];
  for (const [what, idOf] of cases) {
    for (let index = 0; index < NEW; index += 1) put(idOf(index));
    const ms = await scan(what, NEW);
    if (ms > LIMIT_MS) failures.push(`discovery, ${what}: ${(ms / 1_000).toFixed(1)} s`);
    await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
  }
  await catalogue.stop();
  return failures;
}

/** One scan. The time until the last new file was in the catalogue, ms. */
async function timed(
  catalogue: Catalogue,
  found: { readonly rows: number; readonly at: number },
  what: string,
  expected: number,
): Promise<number> {
  const startedAt = performance.now();
  await catalogue.receive({ kind: 'scan' });
  await catalogue.scanned();
  const ms = performance.now() - startedAt;
  const foundMs = expected === 0 ? ms : found.at - startedAt;
  const [inCatalogue = '', inAll = ''] = [foundMs, ms].map((one) => (one / 1_000).toFixed(1));
  const rows = found.rows.toLocaleString('en-US');
  say(`    ${what}: ${rows} found after ${inCatalogue} s, all looked at after ${inAll} s`);
  if (found.rows !== expected) throw new Error(`${String(expected)} were to be found`);
  return foundMs;
}

function idAt(index: number): SegmentId {
  return parseSegmentId(`crawl-${String(index).padStart(9, '0')}`);
}

/** Names of a few files, as they are only listed. Answers with what adds one more. */
function makeFiles(root: string, files: number): (id: SegmentId) => void {
  const made = new Set<string>();
  let names = 0;
  let original = '';
  const put = (id: SegmentId): void => {
    const path = join(root, coldPath(id));
    if (!made.has(dirname(path))) {
      made.add(dirname(path));
      mkdirSync(dirname(path), { recursive: true });
    }
    if (names % NAMES_PER_FILE === 0 || names === files) {
      original = join(root, '..', `original-${String(names)}`);
      writeFileSync(original, 'what a listing never reads');
      if (names < files) utimesSync(original, MODIFIED_MS / 1_000, MODIFIED_MS / 1_000);
    }
    names += 1;
    linkSync(original, path);
  };
  mkdirSync(join(root, '.trough-tmp'), { recursive: true });
  for (let index = 0; index < files; index += 1) put(idAt(index));
  return put;
}
