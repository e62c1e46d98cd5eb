import { randomUUID } from 'node:crypto';
import { QueryObserver } from '../actors/queries/query-observer.ts';
import { TroughError } from '../errors.ts';
import { HttpMetrics } from '../http/metrics.ts';
import { createLog } from '../log.ts';
import { type Urls } from '../messages/documents.ts';
import { systemClock } from '../runtime/clock.ts';
import { pause } from '../runtime/pause.ts';
import { lockDirectory } from '../runtime/directory-lock.ts';
import { randomDigits } from '../runtime/random-digits.ts';
import { Supervisor } from '../runtime/supervisor.ts';
import { type Host } from '../settings/host.ts';
import { type Settings } from '../settings/schema.ts';
import { HttpPorts } from './http-ports.ts';
import { joinCluster, type Membership } from './membership.ts';
import { openPorts } from './ports.ts';
import { startEach } from './start-each.ts';

/** The one line on stdout. `urls` holds the roles that run here. */
export interface ReadyLine {
  readonly ready: true;
  readonly node: string;
  readonly urls: Urls & { readonly nats: string };
}

export interface RunningRoles extends AsyncDisposable {
  readonly ready: ReadyLine;
  /** Resolves when the process cannot go on; nobody waits for it to reject. */
  readonly failed: Promise<TroughError>;
}

/** For one child of the supervisor; those that need longer (requests in flight) have their own limits. */
const CHILD_GRACE_SHARE = 0.2;
/** For giving segments to other nodes. What is left then goes to them when this node is gone. */
const LEAVE_GRACE_SHARE = 0.3;

/**
 * Starts the roles of this process: ports first, then what every node has, then the roles, and the node's own document last.
 * Everything is stopped in the reverse order. `signal` gives the start up. Errors: those of the ports; nothing is left behind.
 */
export async function startRoles(settings: Settings, host: Host, signal: AbortSignal): Promise<RunningRoles> {
  const log = createLog(settings.logLevel, { node: settings.node });
  const clock = systemClock;
  const random = Math.random;
  const supervisor = new Supervisor({ clock, log, random, graceMs: settings.stopGraceMs * CHILD_GRACE_SHARE });
  try {
    const lock = await lockDirectory(settings.data, { clock, log, what: 'data directory' });
    supervisor.adopt('data directory lock', () => lock[Symbol.asyncDispose]());
    const queries = new QueryObserver({ clock, log, slowMs: settings.slowQueryMs });
    supervisor.adopt('query observer', () => {
      queries[Symbol.dispose]();
    });
    const base = { settings, host, log, clock, random, supervisor, queries, session: randomUUID(), signal };
    const metrics = new HttpMetrics({ ofProcess: true });
    const ports = await HttpPorts.open({ settings, log, metrics, supervisor });
    const drivers = await openPorts(base);
    const membership = await joinCluster({ ...base, ...drivers, seed: randomDigits(16), metrics, ports });
    const urls = await startEach(membership.context);
    ports.stopBefore();
    const { parts } = membership.context;
    supervisor.adopt('change feeds', () => {
      parts.stopFeeds();
    });
    await membership.announce(urls);
    // The first to be stopped: while others take over what was written here, all of it still answers.
    const leave = (): Promise<void> => parts.leave();
    supervisor.adopt('segments open for writing', leave, settings.stopGraceMs * LEAVE_GRACE_SHARE);
    await untilReady(membership, signal);
    log.info({ urls, nats: drivers.natsUrl }, 'ready');
    return {
      ready: { ready: true, node: settings.node, urls: { ...urls, nats: drivers.natsUrl } },
      failed: membership.failed,
      [Symbol.asyncDispose]: () => supervisor.stop(),
    };
  } catch (error) {
    await supervisor.stop();
    throw TroughError.from(error);
  }
}

/** A process with a sync-master waits for a leader, so that what it prints can be used at once; the others may start before there is one. */
async function untilReady({ context }: Membership, signal: AbortSignal): Promise<void> {
  const { settings, view, clock, self } = context;
  if (!settings.roles.includes('sync-master')) return;
  const isReady = (): boolean =>
    view.leader()?.document.held === true && view.node(self.node)?.document.session === self.session;
  while (!isReady()) {
    signal.throwIfAborted();
    await pause(clock, 20);
  }
}
