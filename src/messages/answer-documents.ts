import { type ReadAnswer } from './reading.ts';

/** Rows of the format `legacy` as the list that the original answers: `[{…},\n{…}]\n`. */
export function legacyDocument(answer: ReadAnswer): Uint8Array | AsyncIterable<Uint8Array> {
  return around(answer, '[', () => ']\n');
}

/** Rows of the format `rows` as the object that POST `/v1/segments/ID/query` answers. */
export function queryDocument(answer: ReadAnswer, segment: string): Uint8Array | AsyncIterable<Uint8Array> {
  return around(answer, queryDocumentHead(answer), () => queryDocumentTail(answer, segment));
}

export function queryDocumentHead({ columns }: ReadAnswer): string {
  return `{"columns":${JSON.stringify(columns)},"rows":[`;
}

/** Valid once the body has ended. */
export function queryDocumentTail({ version, node, summary }: ReadAnswer, segment: string): string {
  return `],${JSON.stringify({ segment, version, node, truncated: summary().truncated }).slice(1)}\n`;
}

function around({ body }: ReadAnswer, before: string, after: () => string): Uint8Array | AsyncIterable<Uint8Array> {
  if (body instanceof Uint8Array) return Buffer.concat([Buffer.from(before), body, Buffer.from(after())]);
  return aroundStream(body, before, after);
}

async function* aroundStream(
  body: AsyncIterable<Uint8Array>,
  before: string,
  after: () => string,
): AsyncGenerator<Uint8Array> {
  yield Buffer.from(before);
  yield* body;
  yield Buffer.from(after());
}
