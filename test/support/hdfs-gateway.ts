import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import {
  createServer as createPlain,
  type IncomingMessage,
  request as requestHttp,
  type ServerResponse,
} from 'node:http';
import { createServer as createSecure } from 'node:https';
import { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const PASSWORD = 'changeit';

export interface Certificate {
  /** PKCS #12 with the key. */
  readonly pfx: Buffer;
  /** The certificate alone, which signs itself: PEM. */
  readonly caFile: string;
}

/** Made by the tool of the JDK that HDFS needs anyway; for localhost and 127.0.0.1. */
export async function makeCertificate(directory: string): Promise<Certificate> {
  const store = join(directory, 'key.p12');
  const caFile = join(directory, 'ca.pem');
  const common = ['-keystore', store, '-storepass', PASSWORD, '-alias', 'gateway'];
  const made = ['-keyalg', 'RSA', '-validity', '2', '-dname', 'CN=localhost', '-storetype', 'PKCS12'];
  await run('keytool', ['-genkeypair', ...common, ...made, '-ext', 'san=dns:localhost,ip:127.0.0.1']);
  await run('keytool', ['-exportcert', '-rfc', ...common, '-file', caFile]);
  return { pfx: await readFile(store), caFile };
}

export interface Gateway extends AsyncDisposable {
  readonly port: number;
  /** The header Authorization of each request, by the path that it was for. */
  readonly seen: readonly { readonly authorization: string | undefined; readonly path: string }[];
}

export interface GatewayOptions {
  /** Where it hands on to: something whose redirects lead back to itself. */
  readonly upstream: string;
  readonly prefix: string;
  readonly certificate?: Certificate;
  /** Undefined: right for all. */
  readonly accepts?: (authorization: string | undefined) => boolean;
  /** Of the redirects that it makes; default its own address. */
  readonly redirectHost?: string;
}

/** What stands before HDFS in guarded clusters: a path prefix, https, and a header without which nothing is answered. */
export async function hdfsGateway(options: GatewayOptions): Promise<Gateway> {
  const { upstream, prefix, certificate, accepts = () => true } = options;
  const seen: { authorization: string | undefined; path: string }[] = [];
  const listen = (request: IncomingMessage, response: ServerResponse): void => {
    const { authorization } = request.headers;
    seen.push({ authorization, path: request.url ?? '' });
    if (request.url?.startsWith(`${prefix}/`) !== true) {
      response.writeHead(404).end('<html>no such service</html>');
      return;
    }
    if (!accepts(authorization)) {
      response.writeHead(401).end('<html>who are you?</html>');
      return;
    }
    handOn(request, response, upstream, prefix, own()).catch(() => response.destroy());
  };
  const server =
    certificate === undefined
      ? createPlain(listen)
      : createSecure({ pfx: certificate.pfx, passphrase: PASSWORD }, listen);
  const own = (): string => {
    const { port } = server.address() as AddressInfo;
    const scheme = certificate === undefined ? 'http' : 'https';
    return `${scheme}://${options.redirectHost ?? 'localhost'}:${String(port)}${prefix}`;
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    [Symbol.asyncDispose]: async () => {
      const gone = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await gone;
    },
  };
}

async function handOn(
  request: IncomingMessage,
  response: ServerResponse,
  upstream: string,
  prefix: string,
  own: string,
): Promise<void> {
  const url = new URL((request.url ?? '').slice(prefix.length), `http://${upstream}`);
  const headers = { ...request.headers, host: upstream };
  const sent = requestHttp(url, { method: request.method ?? '', headers, agent: false });
  request.pipe(sent);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  const body = Buffer.concat(await answer.toArray());
  const isRedirect = body.subarray(0, 11).toString('latin1') === '{"Location"';
  const text = isRedirect ? Buffer.from(body.toString().replaceAll(`http://${upstream}`, own)) : body;
  response.writeHead(answer.statusCode ?? 500, { 'content-type': answer.headers['content-type'] ?? '' }).end(text);
}
