import { parse } from 'node:querystring';

/** The first value of a URL parameter that is not empty, decoded as forms are (`+` is a space); broken escapes are kept, never refused. */
export function firstParameter(query: string, name: string): string | undefined {
  if (query === '') return undefined;
  if (query.startsWith(name) && query[name.length] === '=' && isPlain(query)) {
    return query.length > name.length + 1 ? query.slice(name.length + 1) : undefined;
  }
  const value = parse(query)[name];
  if (typeof value === 'string') return value === '' ? undefined : value;
  return value?.find((one) => one !== '');
}

/** All parameters; the last value of a repeated one. */
export function allParameters(query: string): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, value] of Object.entries(parse(query))) {
    values[name] = typeof value === 'string' ? value : (value?.at(-1) ?? '');
  }
  return values;
}

function isPlain(query: string): boolean {
  return !query.includes('&') && !query.includes('%') && !query.includes('+');
}
