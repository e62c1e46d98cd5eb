export const ABORTED = Symbol('aborted');

/** `work`'s result, or ABORTED when the signal fires first: `work` goes on then, and its failure is nobody's. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | typeof ABORTED> {
  const aborted = Promise.withResolvers<typeof ABORTED>();
  const end = (): void => {
    aborted.resolve(ABORTED);
  };
  if (signal.aborted) end();
  signal.addEventListener('abort', end);
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', end);
  }
}
