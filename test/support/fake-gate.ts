/** Points at which a fake port can be held up or made to fail, by the name of the call. */
export class FakeGate {
  readonly #failures = new Map<string, Error[]>();
  readonly #barriers = new Map<string, { arrived: () => void; opened: Promise<void> }[]>();

  /** The next call of that name fails with the error. */
  failNext(call: string, error: Error): void {
    this.#failures.set(call, [...(this.#failures.get(call) ?? []), error]);
  }

  /** The next call of that name waits: `reached` resolves when it is there, `open` lets it go on. */
  holdNext(call: string): { readonly reached: Promise<void>; readonly open: () => void } {
    const reached = Promise.withResolvers<undefined>();
    const opened = Promise.withResolvers<undefined>();
    const barrier = {
      arrived: () => {
        reached.resolve(undefined);
      },
      opened: opened.promise,
    };
    this.#barriers.set(call, [...(this.#barriers.get(call) ?? []), barrier]);
    return {
      reached: reached.promise,
      open: () => {
        opened.resolve(undefined);
      },
    };
  }

  /** Called by the fake at the start of each call; takes a turn of the event loop, as every real port does. */
  async pass(call: string, signal?: AbortSignal): Promise<void> {
    await Promise.resolve();
    const barrier = this.#barriers.get(call)?.shift();
    if (barrier !== undefined) {
      barrier.arrived();
      await Promise.race([barrier.opened, aborted(signal)]);
    }
    const failure = this.#failures.get(call)?.shift();
    if (failure !== undefined) throw failure;
  }
}

function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => {
      reject(signal.reason as Error);
    });
  });
}
