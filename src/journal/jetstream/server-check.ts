import { type Msg } from 'nats';
import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type Requests, isNobody } from './requests.ts';

const OLDEST = [2, 12] as const;
/** What the promises were tried on. */
const TESTED = '2.15.2';
const FIRST_ANSWER_MS = 1_000;
const FURTHER_ANSWERS_MS = 300;

/** What a server says of itself, where a user may ask: most may not. */
interface ServerWord {
  readonly server?: { readonly name?: string; readonly ver?: string };
  readonly data?: { readonly jetstream?: { readonly config?: { readonly sync_always?: boolean } } };
}

/**
 * Refuses servers on which an acknowledgement would prove nothing. Error: NATS_SERVER_TOO_OLD (expectations and batches are skipped
 * without a word), CONFIG_INVALID (records are acknowledged before they are on disk).
 */
export async function checkServers(requests: Requests, log: Log, isOwn = false): Promise<void> {
  demandVersion(requests.connection.info?.version, 'the NATS server');
  // Its configuration is of our making.
  if (isOwn) return;
  const words = await askServers(requests);
  for (const { server, data } of words) {
    const name = `nats-server ${server?.name ?? ''}`;
    demandVersion(server?.ver, name);
    const config = data?.jetstream?.config;
    if (config === undefined || config.sync_always === true) continue;
    const message = `${name} acknowledges records before they are on disk: set jetstream { sync_interval: always } in its configuration`;
    throw new TroughError('CONFIG_INVALID', message, { server: server?.name });
  }
  if (words.length > 0) return;
  log.info(
    'whether the NATS servers sync each record cannot be seen from here: they need jetstream { sync_interval: always }',
  );
}

export function demandVersion(version: string | undefined, who: string): void {
  const [major = 0, minor = 0] = (version ?? '0.0').split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return;
  const message = `${who} is of version ${version ?? 'unknown'}: the journal needs ${OLDEST.join('.')} or newer, ${TESTED} was tested; older ones skip write expectations without a word (--journal none does without it: writes are then on their node alone)`;
  throw new TroughError('NATS_SERVER_TOO_OLD', message, { version });
}

/** All that answer; none when this user may not ask. */
function askServers(requests: Requests): Promise<readonly ServerWord[]> {
  return new Promise((resolve) => {
    const words: ServerWord[] = [];
    let timer: NodeJS.Timeout | undefined = undefined;
    const finish = (): void => {
      clearTimeout(timer);
      stop();
      resolve(words);
    };
    const hear = (message: Msg): void => {
      if (isNobody(message)) {
        finish();
        return;
      }
      words.push(message.json());
      clearTimeout(timer);
      timer = setTimeout(finish, FURTHER_ANSWERS_MS);
    };
    const stop = requests.open('$SYS.REQ.SERVER.PING.VARZ', '', { hear, end: finish });
    timer = setTimeout(finish, FIRST_ANSWER_MS);
  });
}
