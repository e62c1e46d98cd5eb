import { ALL_ROWS, AGGREGATE, ROWS, segmentAt } from './dataset.ts';

/** One answer of a read port, as rows. Throws when it is not 200. */
export async function rowsOf(url: string, segment: string, sql: string): Promise<readonly object[]> {
  const answer = await fetch(`${url}?segment=${segment}`, { method: 'POST', body: sql });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${String(answer.status)} to ${sql}: ${text.slice(0, 300)}`);
  return JSON.parse(text) as object[];
}

/** Both must give the same rows, as many as there are, before anything is measured. */
export async function compareAnswers(urls: readonly string[], count: number): Promise<void> {
  for (const index of [0, count - 1]) {
    for (const [sql, least] of [
      [ALL_ROWS, ROWS],
      [AGGREGATE, 2],
      ['select * from t where id=17', 1],
    ] as const) {
      const answers = await Promise.all(urls.map((url) => rowsOf(url, segmentAt(index), sql)));
      const texts = new Set(answers.map((rows) => JSON.stringify(rows)));
      if (texts.size !== 1 || answers.some((rows) => rows.length < least)) {
        throw new Error(`different answers to ${sql}: ${[...texts].map((text) => text.slice(0, 200)).join('\n')}`);
      }
    }
  }
}
