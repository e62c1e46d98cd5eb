import { isDeepStrictEqual } from 'node:util';
import { type Comparison, type GoldenCase, type RecordedResponse } from './golden-case.ts';
import { parseTagged, type TaggedJson } from './tagged-json.ts';

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
  /** The connection ended before the body did. */
  readonly aborted: boolean;
}

/** Puts the ids of this run in place of `{{seg1}}` and the like. */
export type Fill = (text: string) => string;

const SHOWN_CHARACTERS = 400;

/** What is different from every answer that the case accepts; empty when nothing is. */
export function differences(golden: GoldenCase, got: Answer, fill: Fill): string[] {
  if (golden.also?.some((other) => differencesFrom(other, got, fill).length === 0) === true) return [];
  return differencesFrom(golden.wanted ?? golden, got, fill);
}

export function differencesFrom(spec: Comparison, got: Answer, fill: Fill): string[] {
  const status = statusDifference(spec, got);
  if (spec.compare === 'status-only') return status;
  if (spec.compare === 'not-json') return got.status >= 400 ? [] : [...status, ...completeJson(got)];
  const found = [...status, ...typeDifference(spec.response, got)];
  return got.aborted ? [...found, 'the connection closed in mid-body'] : [...found, ...bodyDifference(spec, got, fill)];
}

function statusDifference({ status: mode, response }: Comparison, got: Answer): string[] {
  const hundred = (status: number): number => Math.floor(status / 100);
  const same =
    mode === 'error'
      ? got.status >= 400
      : mode === 'class'
        ? hundred(got.status) === hundred(response.status)
        : got.status === response.status;
  const expected =
    mode === 'error' ? 'any 4xx or 5xx' : `${String(response.status)}${mode === 'class' ? ' or alike' : ''}`;
  return same ? [] : [`status ${String(got.status)}, expected ${expected}`];
}

/** Text that breaks off is never a complete answer. */
function completeJson(got: Answer): string[] {
  if (got.aborted) return [];
  try {
    parseTagged(got.body);
  } catch {
    return [];
  }
  return [`the body is complete JSON: ${shown(got.body)}`];
}

/** The type of an empty body says nothing. */
function typeDifference(response: RecordedResponse, got: Answer): string[] {
  const expected = response.headers?.['content-type'];
  if (expected === undefined || recordedBytes(response, (text) => text).length === 0) return [];
  const mime = (type: string): string => (type.split(';')[0] ?? '').trim().toLowerCase();
  if (mime(expected) === mime(got.contentType)) return [];
  return [`content type ${mime(got.contentType)}, expected ${mime(expected)}`];
}

function bodyDifference(spec: Comparison, got: Answer, fill: Fill): string[] {
  const mode = spec.compare ?? 'exact';
  const expected = recordedBytes(spec.response, fill);
  try {
    if (isSameBody(mode, spec, expected, got.body, fill)) return [];
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return [`the body does not parse (${error.message}): ${shown(got.body)}`];
  }
  const rule = spec.prefix ?? spec.regex ?? spec.contains?.join(', ');
  return [`body [${mode}]\n    got      ${shown(got.body)}\n    expected ${rule ?? shown(expected)}`];
}

function isSameBody(mode: string, spec: Comparison, expected: Buffer, got: Buffer, fill: Fill): boolean {
  switch (mode) {
    case 'exact':
      return got.equals(expected);
    case 'prefix':
      return got.subarray(0, Buffer.byteLength(fill(spec.prefix ?? ''))).toString('utf8') === fill(spec.prefix ?? '');
    case 'regex':
      return new RegExp(fill(spec.regex ?? ''), 's').test(got.toString('utf8'));
    case 'json':
      return isSameJson(parseTagged(expected), parseTagged(got), spec, fill, '');
    case 'json-rows':
      return isDeepStrictEqual(rowsOf(expected, spec), rowsOf(got, spec));
    case 'json-contains':
      return containsAll(parseTagged(got), (spec.contains ?? []).map(fill));
    default:
      throw new Error(`there is no way to compare '${mode}'`);
  }
}

function rowsOf(bytes: Buffer, { unordered }: Comparison): TaggedJson[] {
  const json = parseTagged(bytes);
  if (json.kind !== 'list') throw new SyntaxError('not a list of rows');
  if (unordered !== true) return [...json.items];
  const byText = (a: TaggedJson, b: TaggedJson): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
  return [...json.items].sort(byText);
}

function containsAll(json: TaggedJson, wanted: readonly string[]): boolean {
  if (json.kind !== 'list') return false;
  const texts = new Set(json.items.map((item) => (item.kind === 'string' ? item.value : undefined)));
  return wanted.every((text) => texts.has(text));
}

/** Keys in any order; `path` is that of nested keys, joined with dots. */
function isSameJson(want: TaggedJson, got: TaggedJson, spec: Comparison, fill: Fill, path: string): boolean {
  if (spec.ignore?.includes(path) === true) return true;
  const pattern = spec.patterns?.[path];
  if (pattern !== undefined) return got.kind === 'string' && new RegExp(fill(pattern)).test(got.value);
  if (want.kind !== 'object' || got.kind !== 'object') return isDeepStrictEqual(unordered(want), unordered(got));
  const wanted = new Map(want.pairs);
  const there = new Map(got.pairs);
  const extra = [...there.keys()].filter((key) => !wanted.has(key));
  if (extra.length > 0 && spec.extra_keys_ok !== true) return false;
  return [...wanted].every(([key, value]) => {
    const other = there.get(key);
    return other !== undefined && isSameJson(value, other, spec, fill, path === '' ? key : `${path}.${key}`);
  });
}

/** The same value with the order of its keys forgotten. */
function unordered(json: TaggedJson): unknown {
  if (json.kind === 'list') return json.items.map(unordered);
  if (json.kind === 'object') return new Map(json.pairs.map(([key, value]) => [key, unordered(value)]));
  return json;
}

export function recordedBytes({ body, body_b64: base64 }: RecordedResponse, fill: Fill): Buffer {
  return base64 === undefined ? Buffer.from(fill(body ?? ''), 'utf8') : Buffer.from(base64, 'base64');
}

function shown(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('utf8').slice(0, SHOWN_CHARACTERS));
}
