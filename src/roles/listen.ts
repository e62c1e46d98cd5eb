import { type HttpHandler } from '../http/exchange.ts';
import { startHttpServer } from '../http/http-server.ts';
import { type NodeContext } from './node-context.ts';

export interface PortPlan {
  readonly name: string;
  readonly port: number;
  readonly handler: HttpHandler;
  /** Why it cannot do its job now; empty when it can. */
  readonly ready: () => readonly string[] | Promise<readonly string[]>;
}

/** Opens one HTTP port of this process, with its probes and metrics, and puts it into the stop order. */
export async function listen(context: NodeContext, plan: PortPlan): Promise<{ url: string }> {
  const { settings, bus, metrics, supervisor, log, self } = context;
  const server = await startHttpServer({
    name: plan.name,
    host: settings.bind,
    port: plan.port,
    advertisedHost: settings.advertise,
    handler: plan.handler,
    bodyLimitBytes: settings.bodyLimitBytes,
    graceMs: settings.stopGraceMs / 2,
    log,
    metrics,
    node: self.node,
    ready: async () => {
      const reasons = bus.status === 'connected' ? [] : ['NATS is not reachable'];
      reasons.push(...(await plan.ready()));
      return { ready: reasons.length === 0, reasons };
    },
  });
  supervisor.adopt(`${plan.name} port`, () => server[Symbol.asyncDispose]());
  return { url: server.url };
}
