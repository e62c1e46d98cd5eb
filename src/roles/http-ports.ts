import { TroughError } from '../errors.ts';
import { type HttpServer, startHttpServer } from '../http/http-server.ts';
import { type HttpMetrics } from '../http/metrics.ts';
import { startingRoutes } from '../http/starting-routes.ts';
import { type Log } from '../log.ts';
import { type RoleName } from '../messages/documents.ts';
import { type Supervisor } from '../runtime/supervisor.ts';
import { type Settings } from '../settings/schema.ts';
import { type PortPlan, type RolePorts } from './role-ports.ts';

export interface HttpPortsDeps {
  readonly settings: Settings;
  readonly log: Log;
  readonly metrics: HttpMetrics;
  readonly supervisor: Supervisor;
}

interface OpenPort {
  readonly server: HttpServer;
  plan: PortPlan;
}

const STARTING: PortPlan = {
  handler: startingRoutes(),
  ready: () => ['it is starting: NATS or the metadata is not reachable yet'],
};

/** The share of the whole stop that requests in flight may take; the rest is for what they rest on. */
const PORTS_GRACE_SHARE = 0.4;
/** For closing what is left after that. */
const CLOSE_MS = 500;

/**
 * The HTTP ports of this process. They open before anything that they need is there, so that from the first moment on `/healthz` and `/readyz`
 * say how it goes and a port that is taken stops the start; a role puts its routes on its port when it is up.
 */
export class HttpPorts implements RolePorts {
  readonly #deps: HttpPortsDeps;
  readonly #ports = new Map<RoleName, OpenPort>();

  private constructor(deps: HttpPortsDeps) {
    this.#deps = deps;
  }

  /** PORT_IN_USE, CONFIG_INVALID. What was opened is in the stop order. */
  static async open(deps: HttpPortsDeps): Promise<HttpPorts> {
    const ports = new HttpPorts(deps);
    for (const role of deps.settings.roles) await ports.#open(role);
    return ports;
  }

  /** Puts the routes on the port of the role. */
  serve(role: RoleName, plan: PortPlan): { url: string } {
    const port = this.#ports.get(role);
    if (port === undefined) throw new TroughError('INTERNAL', `the port of ${role} was never opened`);
    port.plan = plan;
    return { url: port.server.url };
  }

  /**
   * Puts the ports into the stop order here: above all that answers for them, so what they have taken in is still answered, and all at once, so
   * that together they take no longer than one.
   */
  stopBefore(): void {
    const { supervisor, settings } = this.#deps;
    const close = async (): Promise<void> => {
      await Promise.all(Array.from(this.#ports.values(), ({ server }) => server[Symbol.asyncDispose]()));
    };
    supervisor.adopt('HTTP ports', close, settings.stopGraceMs * PORTS_GRACE_SHARE + CLOSE_MS);
  }

  async #open(role: RoleName): Promise<void> {
    const { settings, log, metrics, supervisor } = this.#deps;
    const port: { plan: PortPlan } = { plan: STARTING };
    const server = await startHttpServer({
      name: role,
      host: settings.bind,
      port: portOf(settings, role),
      advertisedHost: settings.advertise,
      handler: (exchange) => port.plan.handler(exchange),
      bodyLimitBytes: settings.bodyLimitBytes,
      graceMs: settings.stopGraceMs * PORTS_GRACE_SHARE,
      log,
      metrics,
      node: settings.node,
      ready: () => {
        const reasons = port.plan.ready();
        return Promise.resolve({ ready: reasons.length === 0, reasons });
      },
    });
    this.#ports.set(role, Object.assign(port, { server }));
    supervisor.adopt(`${role} port, opened`, () => server[Symbol.asyncDispose]());
  }
}

function portOf(settings: Settings, role: RoleName): number {
  const { readPort, writePort, syncMasterPort, syncLocalPort } = settings;
  return { reader: readPort, writer: writePort, 'sync-master': syncMasterPort, 'sync-local': syncLocalPort }[role];
}
