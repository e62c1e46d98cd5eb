import { type TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { queryDocumentHead, queryDocumentTail } from '../messages/answer-documents.ts';
import { type AnswerFormat, QueryBody, QueryParameters } from '../messages/http-api.ts';
import { type Read, type ReadAnswer } from '../messages/reading.ts';
import { toSqlParams } from '../messages/sql-params.ts';
import { type RowFormat } from '../model/sql-types.ts';
import { preferred } from './accept.ts';
import { type Dressing, sendRows } from './answer-stream.ts';
import { type Exchange } from './exchange.ts';
import { jsonBody, parameters } from './json-body.ts';
import { type V1Handler } from './v1-router.ts';

const ROW_FORMAT: Readonly<Record<AnswerFormat, RowFormat>> = { json: 'rows', ndjson: 'ndjson', csv: 'csv' };
const NEWLINE = 10;

/** POST `/v1/segments/ID/query`. */
export function queryRoute({ read, log }: { readonly read: Read; readonly log: Log }): V1Handler {
  return async (exchange, segment) => {
    const { bigints } = parameters(exchange, QueryParameters);
    const { sql, params, deadlineMs, consistency, maxRows, ...rest } = await jsonBody(exchange, QueryBody);
    const format = rest.format ?? acceptedFormat(exchange);
    const answer = await read(
      {
        segment,
        sql,
        params: toSqlParams(params),
        format: ROW_FORMAT[format],
        bigints,
        deadlineMs,
        consistency,
        maxRows,
        hops: 0,
      },
      exchange.signal,
    );
    await sendRows(exchange, answer, dress(format, segment, answer), log);
  };
}

const TYPES = [
  ['json', 'application/json'],
  ['ndjson', 'application/x-ndjson', 'application/ndjson', 'application/jsonl'],
  ['csv', 'text/csv'],
] as const;

/** JSON for whoever wants none of them: an answer in an unloved form tells more than none. */
function acceptedFormat(exchange: Exchange): AnswerFormat {
  const accept = exchange.header('accept');
  return (accept === undefined ? undefined : preferred(accept, TYPES)) ?? 'json';
}

function dress(format: AnswerFormat, segment: string, answer: ReadAnswer): Dressing {
  const { node, version } = answer;
  switch (format) {
    case 'json':
      return {
        type: 'application/json',
        before: queryDocumentHead(answer),
        after: () => queryDocumentTail(answer, segment),
        compress: true,
      };
    case 'ndjson':
      return {
        type: 'application/x-ndjson',
        before: '',
        after: (last) => lastLine(last, { summary: { ...answer.summary(), segment, version, node } }),
        failed: (error: TroughError, last) => lastLine(last, { error: error.toRecord() }),
        compress: true,
      };
    case 'csv':
      return { type: 'text/csv; charset=utf-8', before: '', after: () => '', compress: true };
  }
}

function lastLine(last: number | undefined, trough: object): string {
  const separator = last === undefined || last === NEWLINE ? '' : '\n';
  return `${separator}${JSON.stringify({ _trough: trough })}\n`;
}
