/** What trough uses of the package `webhdfs`. */
declare module 'webhdfs' {
  import { type EventEmitter } from 'node:events';
  import { type Agent, type IncomingMessage } from 'node:http';

  /** The request that was sent. `complete` comes with the whole answer, its body as JSON made of it, or as text where it was none. */
  interface Sent extends EventEmitter {
    abort(): void;
    on(event: 'complete', heard: (response: IncomingMessage, body: unknown) => void): this;
    on(event: 'error', heard: (error: Error) => void): this;
  }

  interface Client {
    /** `path` is put into the address as it is. */
    mkdir(path: string, mode: string, done: (error: Error | null) => void): Sent;
    unlink(path: string, recursive: boolean, done: (error: Error | null) => void): Sent;
  }

  interface Options {
    readonly protocol: 'http' | 'https';
    readonly host: string;
    readonly port: number;
    readonly path: string;
    readonly user?: string;
  }

  interface RequestOptions {
    readonly agent: Agent;
    readonly headers: Readonly<Record<string, string>>;
    readonly followRedirect: boolean;
  }

  const WebHDFS: { createClient(options: Options, request: RequestOptions): Client };
  // eslint-disable-next-line no-restricted-syntax -- all that a CommonJS package exports
  export default WebHDFS;
}
