import { type Journal, type JournalKey } from '../../src/journal/journal.ts';

/** Writers that append to keys of their own, one record after another, and remember every acknowledgement. */
export interface JournalLoad {
  readonly acknowledged: number;
  /** Ends the writers, each after its present record, and compares what they were told with what the journal holds. */
  finish(reader: Journal): Promise<HistoryReport>;
}

export interface HistoryReport {
  readonly acknowledged: number;
  /** Each a sentence; empty: nothing lost, nothing doubled, all in order. */
  readonly violations: readonly string[];
}

interface History {
  readonly key: JournalKey;
  readonly told: { readonly text: string; readonly sequence: number }[];
}

export function startLoad(journals: readonly Journal[], keys: readonly JournalKey[]): JournalLoad {
  const histories: History[] = keys.map((key) => ({ key, told: [] }));
  const failures: string[] = [];
  let stop = false;
  const write = async ({ key, told }: History, journal: Journal): Promise<void> => {
    for (let number = 1; !stop; number += 1) {
      const text = `${key.name} ${String(number)} ${'x'.repeat(number % 300)}`;
      const expected = told.at(-1)?.sequence ?? 0;
      const sequence = await journal.append(key, { id: `1.${String(number)}`, body: Buffer.from(text) }, expected);
      told.push({ text, sequence });
    }
  };
  const writing = histories.map(async (history, index) => {
    const journal = journals[index % journals.length];
    if (journal === undefined) return;
    await write(history, journal).catch((error: unknown) => {
      failures.push(`${history.key.name} stopped: ${String(error)}`);
    });
  });
  const count = (): number => histories.reduce((sum, { told }) => sum + told.length, 0);
  return {
    get acknowledged() {
      return count();
    },
    finish: async (reader) => {
      stop = true;
      await Promise.all(writing);
      const violations = [...failures];
      for (const { key, told } of histories) violations.push(...(await compare(reader, key, told)));
      return { acknowledged: count(), violations };
    },
  };
}

/** Every append has ended with its sequence, so the chain is exactly what was told. */
async function compare(reader: Journal, key: JournalKey, told: History['told']): Promise<string[]> {
  const violations: string[] = [];
  let at = 0;
  for await (const { sequence, body } of reader.read(key, { from: 0 })) {
    const expected = told[at];
    const text = Buffer.from(body).toString();
    if (expected?.sequence !== sequence || expected.text !== text) {
      violations.push(
        `${key.name}: at ${String(sequence)} '${text.slice(0, 40)}', told '${expected?.text.slice(0, 40) ?? 'nothing'}' at ${String(expected?.sequence)}`,
      );
      break;
    }
    at += 1;
  }
  if (at < told.length)
    violations.push(`${key.name}: ${String(told.length - at)} of ${String(told.length)} are not there`);
  return violations;
}
