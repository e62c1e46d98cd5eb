import { type Log } from '../log.ts';
import { type Control } from '../messages/control.ts';
import { type Exchange, type HttpHandler } from './exchange.ts';
import { LegacyRouter } from './legacy-router.ts';
import { legacyLifecycleRoutes } from './legacy-lifecycle.ts';
import { legacySchemaRoutes } from './legacy-schemas.ts';
import { type SegmentId, parseSegmentId } from '../model/segment-id.ts';
import { managerHandlers } from './v1-manager.ts';
import { V1Router } from './v1-router.ts';

export interface ManagerRoutesOptions {
  readonly control: Control;
  readonly log: Log;
}

export interface LocalRoutesOptions extends ManagerRoutesOptions {
  /** Whether this node holds a sound copy of the segment, and why not. */
  readonly health: (segment: SegmentId) => Promise<{ readonly ok: boolean; readonly why: string }>;
}

/** The manager port of a sync-master: the original's routes and `/v1`. */
export function managerRoutes(options: ManagerRoutesOptions): HttpHandler {
  return managerFace(options, []);
}

/** The manager port of a worker: the same, and GET `/health/ID`. */
export function localRoutes(options: LocalRoutesOptions): HttpHandler {
  const answerHealth = async (exchange: Exchange, id: string): Promise<void> => {
    const { ok, why } = await options.health(parseSegmentId(id));
    exchange.send({ status: ok ? 200 : 500, type: 'text/plain; charset=utf-8', body: `${why}\n` });
  };
  return managerFace(options, [{ path: '/health/{id}', methods: { GET: answerHealth } }]);
}

function managerFace(
  { control, log }: ManagerRoutesOptions,
  more: ConstructorParameters<typeof LegacyRouter>[0],
): HttpHandler {
  const v1 = new V1Router('manager', managerHandlers(control), log);
  const legacy = new LegacyRouter([...legacyLifecycleRoutes(control), ...legacySchemaRoutes(control), ...more], log);
  return (exchange) => (exchange.path.startsWith('/v1/') ? v1.handle(exchange) : legacy.handle(exchange));
}
