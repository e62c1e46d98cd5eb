import { z } from 'zod';
import { TroughError } from '../errors.ts';

/** The text of a message. REQUEST_INVALID when it is not UTF-8. */
export function decodeText(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (error) {
    throw new TroughError('REQUEST_INVALID', 'the message is not UTF-8', {}, error);
  }
}

/** The value, when it has the shape. REQUEST_INVALID says what `subject` should be and what is wrong. */
export function checkShape<T>(schema: z.ZodType<T>, value: unknown, subject: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new TroughError('REQUEST_INVALID', `this is not ${subject}: ${z.prettifyError(result.error)}`);
}
