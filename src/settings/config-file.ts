import { isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import { didYouMean } from './did-you-mean.ts';
import { finishLegacy, isLegacyKey, type LegacyLater, translateLegacy } from './legacy.ts';
import { type Findings, give, type Origin } from './origin.ts';
import { fileKey, SETTING_LIST } from './schema.ts';

const KEYS = new Map(SETTING_LIST.map(([key]) => [fileKey(key), key]));

/** Reads the keys of a settings file into `findings`: trough's own, and those of the later, which are translated. */
export function readConfigFile(path: string, text: string, findings: Findings): void {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, intAsBigInt: false, uniqueKeys: true });
  for (const error of document.errors) {
    findings.problems.push(`${path}:${String(error.linePos?.[0].line ?? 1)}: ${firstLine(error.message)}`);
  }
  if (document.errors.length > 0 || document.contents === null) return;
  if (!isMap(document.contents)) {
    findings.problems.push(`${path}: a settings file is a list of 'key: value' lines`);
    return;
  }
  const entries: FileEntry[] = document.contents.items.map((pair) => {
    const key = isScalar(pair.key) ? String(pair.key.value) : '';
    const at = isScalar(pair.key) ? lines.linePos(pair.key.range[0]).line : 1;
    const origin: Origin = { kind: 'file', place: `${path}:${String(at)} (${key})` };
    return { key, raw: document.get(pair.key, false), origin };
  });
  const later: LegacyLater = {};
  for (const entry of entries) readEntry(entry, later, findings);
  finishLegacy(later, findings);
}

interface FileEntry {
  readonly key: string;
  readonly raw: unknown;
  readonly origin: Origin;
}

function readEntry({ key, raw, origin }: FileEntry, later: LegacyLater, findings: Findings): void {
  const value = toPlain(raw);
  if (isLegacyKey(key)) {
    translateLegacy(key, { raw: value, origin }, later, findings);
    return;
  }
  const setting = KEYS.get(key);
  if (setting === undefined)
    findings.problems.push(`${origin.place}: there is no such setting${didYouMean(key, [...KEYS.keys()])}`);
  else if (value !== null && value !== undefined) give(setting, { raw: value, origin }, findings);
}

/** A collection node as plain values. */
function toPlain(node: unknown): unknown {
  const hasJson = typeof node === 'object' && node !== null && 'toJSON' in node && typeof node.toJSON === 'function';
  return hasJson ? (node as { toJSON: () => unknown }).toJSON() : node;
}

function firstLine(message: string): string {
  return message.replace(/ at line \d+[^]*$/, '').replace(/\n[^]*$/, '');
}
