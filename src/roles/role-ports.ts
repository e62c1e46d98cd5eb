import { type HttpHandler } from '../http/exchange.ts';
import { type RoleName } from '../messages/documents.ts';

/** What a role does on its port, once it can. */
export interface PortPlan {
  readonly handler: HttpHandler;
  /** Why it cannot do its job now; empty when it can. */
  readonly ready: () => readonly string[];
}

/** Where a role puts its routes: the HTTP ports of a process, or nothing where nobody listens. */
export interface RolePorts {
  /** Puts the routes on the port of the role; the answer says where it is. */
  serve(role: RoleName, plan: PortPlan): { url: string };
}
