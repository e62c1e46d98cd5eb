/** Seeds that found a bug when it was there, and the bug. */
export const FOUND_SEEDS: readonly { readonly seed: number; readonly bug: string }[] = [
  { seed: 12, bug: 'copies of a shredded segment stayed for ever when the word of the shred was lost' },
  { seed: 15, bug: 'a copy went at once when the placement stopped naming it, if it had not been asked for before' },
  { seed: 57, bug: 'the last copies of a file that vanished from cold storage went when their slot moved' },
  { seed: 27, bug: 'a leader whose machine had slept wrote over the placement of its successor' },
  { seed: 44, bug: 'a deposed leader moved copies by what it had known of the nodes' },
  { seed: 55, bug: 'a second process took the name of a node whose one answer was lost' },
];
