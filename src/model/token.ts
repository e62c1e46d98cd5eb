import { TroughError } from '../errors.ts';

/**
 * A name as one NATS subject token and KV key: every byte of its UTF-8 form outside `A-Za-z0-9_-` becomes `=HH`.
 * Reversible by `fromToken`.
 */
export function toToken(name: string): string {
  if (/^[A-Za-z0-9_-]+$/.test(name)) return name;
  let token = '';
  for (const byte of Buffer.from(name, 'utf8')) {
    const char = String.fromCharCode(byte);
    token += /[A-Za-z0-9_-]/.test(char) ? char : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return token;
}

/** REQUEST_INVALID for a text that `toToken` does not make. */
export function fromToken(token: string): string {
  const bytes: number[] = [];
  for (let at = 0; at < token.length; at += 1) {
    const char = token.charAt(at);
    if (char === '=') {
      bytes.push(Number.parseInt(token.slice(at + 1, at + 3), 16));
      at += 2;
    } else {
      bytes.push(char.charCodeAt(0));
    }
  }
  const name = Buffer.from(bytes).toString('utf8');
  if (name === '' || toToken(name) !== token) {
    throw new TroughError('REQUEST_INVALID', `'${token.slice(0, 80)}' is not an encoded name`);
  }
  return name;
}
