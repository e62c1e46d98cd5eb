import { TroughError } from '../errors.ts';

export interface WebHdfsPlace {
  readonly kind: 'webhdfs';
  /** https in place of http. */
  readonly secure: boolean;
  /** Sent as `user.name`. */
  readonly user: string | undefined;
  /** `host:port` of the name nodes, or of gateways; at most one of them is active. */
  readonly nameNodes: readonly string[];
  /** Where segments lie: an absolute path without a slash at its end, '' for the root of the file system. */
  readonly root: string;
}

/** Where cold storage is. */
export type ColdPlace = { readonly kind: 'directory'; readonly path: string } | WebHdfsPlace;

const FORM = 'webhdfs://[user@]host:port[,host2:port2]/path (swebhdfs:// for https)';
const HOST = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/;
const DEFAULT_PORTS = { http: '9870', https: '9871' } as const;

/** The path of a directory, or the address of an HDFS. CONFIG_INVALID for what is neither. */
export function parseColdPlace(raw: string): ColdPlace {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(raw)?.[1]?.toLowerCase();
  if (scheme === undefined) return { kind: 'directory', path: raw };
  if (scheme !== 'webhdfs' && scheme !== 'swebhdfs') {
    throw invalid(`must be the path of a directory, or ${FORM}: '${scheme}' is not known`);
  }
  const secure = scheme === 'swebhdfs';
  const rest = raw.slice(scheme.length + '://'.length);
  const slash = rest.indexOf('/');
  const authority = slash === -1 ? rest : rest.slice(0, slash);
  const at = authority.lastIndexOf('@');
  const user = at === -1 ? undefined : authority.slice(0, at);
  if (user?.includes(':') === true) {
    throw invalid('takes no password in its address: name a file with coldAuthorizationFile');
  }
  const nameNodes = authority
    .slice(at + 1)
    .split(',')
    .map((one) => nameNode(one, secure));
  const root = slash === -1 ? '' : rest.slice(slash).replace(/\/+$/, '');
  demandPlainPath(root);
  return { kind: 'webhdfs', secure, user: user === '' ? undefined : user, nameNodes, root };
}

function nameNode(text: string, secure: boolean): string {
  const withPort = /:\d+$/.test(text) ? text : `${text}:${DEFAULT_PORTS[secure ? 'https' : 'http']}`;
  const port = Number(HOST.exec(withPort)?.[2] ?? 0);
  if (port < 1 || port > 65_535) throw invalid(`must be ${FORM}: '${text}' is not host:port`);
  return withPort;
}

function demandPlainPath(path: string): void {
  for (const segment of path.split('/').slice(1)) {
    if (segment === '' || segment === '.' || segment === '..') {
      throw invalid(`must be ${FORM}: the path has an empty part, '.' or '..' in it`);
    }
    if (segment.includes(':')) throw invalid(`must be ${FORM}: HDFS has no ':' in names`);
  }
}

function invalid(message: string): TroughError {
  return new TroughError('CONFIG_INVALID', message);
}
