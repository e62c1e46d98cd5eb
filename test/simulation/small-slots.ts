import { registerHooks } from 'node:module';

const SLOTS = 64;
const CONSTANT = 'SLOT_COUNT = 16_384';

/**
 * Loads the real program with fewer slots: a plan, its document and a manifest cost by the slot, and what may go wrong with a slot goes wrong
 * with 64 of them as well. To be imported before anything of the program.
 */
registerHooks({
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context);
    if (!url.endsWith('/src/model/slot.ts')) return loaded;
    const source = Buffer.from(loaded.source as Uint8Array).toString('utf8');
    if (!source.includes(CONSTANT)) throw new Error(`${url} does not say '${CONSTANT}' any more`);
    return { ...loaded, source: source.replace(CONSTANT, `SLOT_COUNT = ${String(SLOTS)}`) };
  },
});
