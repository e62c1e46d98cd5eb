import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { pipeline } from 'node:stream/promises';

/** The baseline: the shortest WebHDFS client on node:http. It compares nothing, syncs nothing, and writes in place. */
export class PlainWebHdfs implements Disposable {
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true });

  /** `http://host:port/webhdfs/v1` */
  constructor(url: string) {
    this.#url = url;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  async put(path: string, file: string): Promise<void> {
    const to = await this.#redirect('PUT', path, 'CREATE&overwrite=true');
    const sent = request(to, { method: 'PUT', agent: this.#agent });
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
    await pipeline(createReadStream(file, { highWaterMark: 256 * 1024 }), sent);
    const [response] = await answered;
    response.resume();
    if (response.statusCode !== 201) throw new Error(`PUT ${path}: ${String(response.statusCode)}`);
  }

  async get(path: string, file: string): Promise<void> {
    const from = await this.#redirect('GET', path, 'OPEN');
    const [response] = (await once(request(from, { agent: this.#agent }).end(), 'response')) as [IncomingMessage];
    if (response.statusCode !== 200) throw new Error(`GET ${path}: ${String(response.statusCode)}`);
    await pipeline(response, createWriteStream(file));
  }

  async #redirect(method: string, path: string, op: string): Promise<URL> {
    const url = `${this.#url}${path}?op=${op}&user.name=root`;
    const [response] = (await once(request(url, { method, agent: this.#agent }).end(), 'response')) as [
      IncomingMessage,
    ];
    response.resume();
    const { location } = response.headers;
    if (location === undefined) throw new Error(`${method} ${path}: ${String(response.statusCode)} without a place`);
    return new URL(location);
  }
}
