import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export const GOLDEN_ROLES = ['read', 'write', 'manager', 'local', 'read2'] as const;
export type GoldenRole = (typeof GOLDEN_ROLES)[number];

export interface RecordedBody {
  readonly body?: string;
  readonly body_b64?: string;
}

export interface GoldenRequest extends RecordedBody {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly repeat?: { readonly char: string; readonly times: number };
}

export interface RecordedResponse extends RecordedBody {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** How an answer is compared with a recorded one; README.md tells what each word means. */
export interface Comparison {
  readonly response: RecordedResponse;
  readonly compare?: string;
  readonly status?: 'class' | 'error';
  readonly prefix?: string;
  readonly regex?: string;
  readonly contains?: readonly string[];
  readonly ignore?: readonly string[];
  readonly patterns?: Readonly<Record<string, string>>;
  readonly extra_keys_ok?: boolean;
  readonly unordered?: boolean;
}

export type GoldenStep =
  | { readonly op: 'release-lock'; readonly segment: string }
  | (GoldenRequest & {
      readonly op?: undefined;
      readonly role: GoldenRole;
      readonly expect_status?: number | readonly number[];
    });

export interface GoldenCase extends Comparison {
  readonly name: string;
  readonly area: string;
  readonly role: GoldenRole;
  readonly request: GoldenRequest;
  readonly requires?: readonly string[];
  readonly setup?: readonly GoldenStep[];
  readonly note?: string;
  readonly wanted?: Comparison;
  readonly also?: readonly Comparison[];
}

/** All recorded cases, in the order of the file. */
export async function readGoldenCases(): Promise<GoldenCase[]> {
  const text = await readFile(join(import.meta.dirname, 'golden-public.jsonl'), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as GoldenCase);
}
