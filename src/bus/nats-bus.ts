import { type NatsLink } from './nats-connection.ts';
import { NatsWire } from './nats-wire.ts';
import { WireBus, type WireBusOptions } from './wire-bus.ts';

/** The bus over NATS. The link stays its owner's, who closes it after the bus. */
export class NatsBus extends WireBus {
  constructor(link: NatsLink, options: WireBusOptions) {
    super(new NatsWire(link, options.log), options);
  }
}
