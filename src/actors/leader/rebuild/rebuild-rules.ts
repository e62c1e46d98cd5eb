import { emptyRule } from '../../../messages/copy-places.ts';
import { encodeDocument } from '../../../messages/documents.ts';
import { keys } from '../../../messages/keys.ts';
import { type RebuildDeps } from './rebuild-deps.ts';
import { type RebuildReport } from './rebuild-report.ts';

/** Writes the rules of single segments that this sync-master's catalogue has kept, where the store has none. */
export async function writeRules(
  { store, rows }: Pick<RebuildDeps, 'store' | 'rows'>,
  report: RebuildReport,
  signal: AbortSignal,
): Promise<void> {
  for (const { segment, copies, tier, sinceMs } of await rows.rules()) {
    const key = keys.rule(segment);
    if ((await store.get(key, signal)) !== undefined) continue;
    const document = { ...emptyRule(segment, sinceMs), copies, tier };
    if (!report.dryRun) await store.create(key, encodeDocument(document), signal);
    report.counts.rules += 1;
  }
  const why =
    report.counts.rules === 0
      ? 'the catalogue of this sync-master has no rules of single segments: set those again that there were'
      : `${String(report.counts.rules)} rules of single segments are as the catalogue of this sync-master has kept them: see 'trough rule list'`;
  report.find('forgotten', why);
}
