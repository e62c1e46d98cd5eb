/**
 * L1: node:http and better-sqlite3 in one process and nothing else: no isolation, no limits, no deadline. The same requests as trough's
 * read port, of one dataset. Argument: the data directory. Sends `{url}` to its parent; ends with it.
 */
import Database from 'better-sqlite3';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { dataPaths } from '../../src/model/paths.ts';
import { OpenFiles } from '../support/open-files.ts';

const [data = ''] = process.argv.slice(2);
const paths = dataPaths(data);
const files = new OpenFiles((segment) => new Database(paths.copy(segment), { readonly: true }));

const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    answer(request, response, Buffer.concat(parts).toString());
  });
});
server.listen(0, '127.0.0.1', () => {
  process.send?.({ url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/` });
});
process.on('disconnect', () => process.exit());

function answer(request: IncomingMessage, response: ServerResponse, sql: string): void {
  try {
    const segment = new URL(request.url ?? '/', 'http://localhost').searchParams.get('segment') ?? '';
    const body = Buffer.from(JSON.stringify(files.of(segment).prepare(sql).all()));
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length });
    response.end(body);
  } catch (error) {
    const body = String(error);
    response.writeHead(500, { 'Content-Type': 'text/plain', 'Content-Length': Buffer.byteLength(body) });
    response.end(body);
  }
}
