import { createContext, Script } from 'node:vm';
import { TroughError } from '../errors.ts';
import { compilePythonRegexp } from './python-regexp.ts';

const DEADLINE_MS = 250;
const SEARCH = new Script('names.filter((name) => pattern.test(name))');

/**
 * Finds names as REGEXP in SQL does, with an end in sight: a pattern that backtracks without end is ended after a quarter of a second. REQUEST_INVALID, at once when it is
 * no pattern, and when a search takes too long.
 */
export function nameMatcher(text: string): (names: readonly string[]) => ReadonlySet<string> {
  const pattern = compiled(text);
  return (names) => {
    if (names.length === 0) return new Set();
    try {
      // Names are short: to search ever so many of them takes no time.
      const found = SEARCH.runInContext(createContext({ names, pattern }), { timeout: DEADLINE_MS }) as string[];
      return new Set(found);
    } catch (error) {
      throw invalid(text, 'takes too long to search for', error);
    }
  };
}

function compiled(text: string): RegExp {
  try {
    return compilePythonRegexp(text);
  } catch (error) {
    throw invalid(text, `is not understood: ${(error as Error).message}`, error);
  }
}

function invalid(text: string, why: string, cause: unknown): TroughError {
  return new TroughError('REQUEST_INVALID', `the regular expression '${text.slice(0, 100)}' ${why}`, {}, cause);
}
