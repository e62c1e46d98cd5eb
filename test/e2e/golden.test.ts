import { describe, expect, it } from 'vitest';
import { nodesAlive } from '../support/api.ts';
import { tempDir } from '../support/temp-dir.ts';
import { trough, type TroughRun } from '../support/trough-process.ts';
import { differencesFrom, recordedBytes, type Answer } from './golden/compare.ts';
import { type GoldenCase, readGoldenCases, type RecordedResponse } from './golden/golden-case.ts';
import { fillerFor, replay } from './golden/replay.ts';

/** Cases whose recorded answer trough does not give on purpose, each with its reason. */
const EXCEPTED: Readonly<Record<string, string>> = {};

const COLD_BELOW_1000 = JSON.stringify([{ from: 0, to: 999, copies: 1, tier: 'cold' }]);
const fill = fillerFor('gc0');

describe("the original's recorded answers", () => {
  it('are those of trough too', async () => {
    const cases = await readGoldenCases();
    expect(cases.length).toBe(231);
    await using dir = await tempDir();
    const common = ['--cold', `${dir.path}/cold`, '--rules', COLD_BELOW_1000];
    await using all = await trough({ data: `${dir.path}/all`, node: '127.0.0.1', args: common });
    const joined = ['--role', 'reader', '--role', 'sync-local', '--nats', all.ready.urls.nats];
    await using other = await trough({ data: `${dir.path}/n2`, node: 'n2', args: [...common, ...joined] });
    await nodesAlive(all, 2);

    const found = await replay(
      cases.filter(({ name }) => EXCEPTED[name] === undefined),
      { urls: portsOf(all, other), run: Date.now().toString(36), parallel: 4 },
    );
    expect(found.join('\n\n')).toBe('');
  });

  it('are each excepted by a name that there is', async () => {
    const names = new Set((await readGoldenCases()).map(({ name }) => name));
    expect(Object.keys(EXCEPTED).filter((name) => !names.has(name))).toEqual([]);
  });
});

describe('the comparison', () => {
  it('accepts each recorded answer as itself', async () => {
    const refused = (await readGoldenCases()).flatMap((golden) => differencesFrom(golden, asAnswer(golden), fill));
    expect(refused).toEqual([]);
  });

  it('finds another status, and another body in every case that tells something of the body', async () => {
    for (const golden of await readGoldenCases()) {
      const answer = asAnswer(golden);
      const changed = [{ ...answer, status: golden.status === undefined ? 299 : 200 }];
      if (!['status-only', 'not-json'].includes(golden.compare ?? 'exact')) {
        changed.push({ ...answer, body: Buffer.from('"something else"') }, { ...answer, aborted: true });
      }
      if (golden.compare === 'not-json') changed.push({ ...answer, body: Buffer.from('[]\n') });
      for (const one of changed) expect(differencesFrom(golden, one, fill), golden.name).not.toEqual([]);
    }
  });

  it('tells an integer from a float, a column from its neighbour, and all digits of a number', () => {
    const rows = (got: string, want: string): string[] => {
      const response = { status: 200, body: want };
      return differencesFrom(
        { compare: 'json-rows', response },
        { ...textAnswer(response), body: Buffer.from(got) },
        fill,
      );
    };
    expect(rows('[{"a":1e2}]', '[{"a":100.0}]')).toEqual([]);
    expect(rows('[{"a":100}]', '[{"a":100.0}]')).not.toEqual([]);
    expect(rows('[{"b":1,"a":2}]', '[{"a":2,"b":1}]')).not.toEqual([]);
    expect(rows('[{"a":1}]', '[{"a":1,"a":1}]')).not.toEqual([]);
    expect(rows('[{"a":9223372036854775806}]', '[{"a":9223372036854775807}]')).not.toEqual([]);
  });
});

function asAnswer({ response }: GoldenCase): Answer {
  return textAnswer(response);
}

function textAnswer(response: RecordedResponse): Answer {
  return {
    status: response.status,
    contentType: response.headers?.['content-type'] ?? '',
    body: recordedBytes(response, fill),
    aborted: false,
  };
}

function portsOf(all: TroughRun, other: TroughRun): Parameters<typeof replay>[1]['urls'] {
  const { read = '', write = '', syncMaster = '', syncLocal = '' } = all.ready.urls;
  return { read, write, manager: syncMaster, local: syncLocal, read2: other.ready.urls.read ?? '' };
}
