import { WireBus, type WireBusOptions } from './wire-bus.ts';
import { type MemoryHub } from './memory-hub.ts';

/** One process's bus on a hub in memory, for tests and the simulator: the same conversation as over NATS, without a server. */
export class MemoryBus extends WireBus {
  readonly #setConnected: (connected: boolean) => void;

  constructor(hub: MemoryHub, options: WireBusOptions) {
    const wire = hub.plug();
    super(wire, options);
    this.#setConnected = wire.setConnected;
  }

  /** From now on nothing is sent or heard. */
  disconnect(): void {
    this.#setConnected(false);
  }

  reconnect(): void {
    this.#setConnected(true);
  }
}
