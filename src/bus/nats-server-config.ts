import { TroughError } from '../errors.ts';

export interface NatsServerConfig {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Absolute; holds the store, the log, the ports file and this configuration. */
  readonly directory: string;
  readonly maxPayloadBytes: number;
}

const LOG_FILE_BYTES = 16 * 1024 * 1024;
const LOG_FILES = 3;

/** The server's command line; also what a server left behind is known by. */
export function natsServerArguments(configFile: string): string[] {
  return ['-c', configFile];
}

/** The text of the server's configuration: one client port, no other listener, every acknowledged message synced to disk. */
export function renderNatsServerConfig({ host, port, directory, maxPayloadBytes }: NatsServerConfig): string {
  return [
    `host: ${quote(host)}`,
    `port: ${String(port === 0 ? -1 : port)}`,
    'server_name: "trough"',
    `max_payload: ${String(maxPayloadBytes)}`,
    `ports_file_dir: ${quote(directory)}`,
    `log_file: ${quote(`${directory}/nats-server.log`)}`,
    `logfile_size_limit: ${String(LOG_FILE_BYTES)}`,
    `logfile_max_num: ${String(LOG_FILES)}`,
    `jetstream { store_dir: ${quote(directory)}, sync_interval: always }`,
    '',
  ].join('\n');
}

/** Error: CONFIG_INVALID for a path that the server's configuration language cannot hold. */
function quote(text: string): string {
  if (/[\n\r\0]/.test(text))
    throw new TroughError('CONFIG_INVALID', `a path of nats-server may not hold line breaks: ${JSON.stringify(text)}`);
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
