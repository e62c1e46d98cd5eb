import { type z } from 'zod';
import { type Bus, type BusAnswer, type BusMessage, type Endpoint, type Subscription } from '../bus/bus.ts';
import { TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { checkShape, decodeText } from '../messages/decode.ts';
import { parseSegmentId, type SegmentId } from '../model/segment-id.ts';
import { fromToken } from '../model/token.ts';

/** Answers JSON with JSON. The request is checked here, once. */
export function answerJson<Request, Answer>(
  bus: Bus,
  endpoint: Endpoint,
  schema: z.ZodType<Request>,
  handle: (request: Request) => Promise<Answer>,
): Subscription {
  return bus.answer(endpoint, async ({ body }) => jsonAnswer(await handle(decodeJson(schema, body))));
}

export function decodeJson<T>(schema: z.ZodType<T>, body: Uint8Array): T {
  const text = decodeText(body);
  return checkShape(schema, text === '' ? {} : parse(text), 'such a request');
}

export function jsonAnswer(value: unknown): BusAnswer {
  return { headers: {}, body: Buffer.from(JSON.stringify(value), 'utf8') };
}

/** Hears messages of one kind; those that cannot be read are dropped and counted. */
export function hearJson<T>(
  bus: Bus,
  subject: string,
  schema: z.ZodType<T>,
  log: Log,
  hear: (message: T) => void,
): Subscription {
  let dropped = 0;
  return bus.subscribe(subject, ({ body }) => {
    const read = schema.safeParse(readable(body));
    if (read.success) {
      hear(read.data);
      return;
    }
    dropped += 1;
    log.warn({ subject, dropped }, 'a message could not be read and was dropped');
  });
}

export function sayJson(bus: Bus, subject: string, message: unknown): void {
  bus.publish(subject, Buffer.from(JSON.stringify(message), 'utf8'));
}

/** The segment that the last token of a subject names. */
export function segmentOf({ subject }: BusMessage): SegmentId {
  return parseSegmentId(fromToken(subject.slice(subject.lastIndexOf('.') + 1)));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TroughError('REQUEST_INVALID', `the message is not JSON: ${(error as Error).message}`, {}, error);
  }
}

/** undefined, which no message is, for bytes that are not JSON. */
function readable(body: Uint8Array): unknown {
  try {
    return parse(decodeText(body));
  } catch {
    return undefined;
  }
}
