import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Frees whatever nobody holds any more, so that what is left can be measured. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
}
