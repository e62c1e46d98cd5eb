import { TroughError } from '../errors.ts';
import { type HttpHandler } from './exchange.ts';
import { sendLegacyError } from './legacy-face.ts';
import { sendV1Error } from './v1-router.ts';

/** Every route of a port whose role is not up yet: busy, try again. */
export function startingRoutes(): HttpHandler {
  const error = new TroughError('NODE_UNAVAILABLE', 'this node is starting; try again shortly');
  return (exchange) => {
    if (exchange.path.startsWith('/v1/')) sendV1Error(exchange, error);
    else sendLegacyError(exchange, error);
    return Promise.resolve();
  };
}
