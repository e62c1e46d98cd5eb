/** Seeds that found a bug when it was there, and the bug. */
export const FOUND_SEEDS: readonly { readonly seed: number; readonly bug: string }[] = [
  { seed: 12, bug: 'copies of a shredded segment stayed for ever when the word of the shred was lost' },
  { seed: 15, bug: 'a copy went at once when the placement stopped naming it, if it had not been asked for before' },
  { seed: 57, bug: 'the last copies of a file that vanished from cold storage went when their slot moved' },
  { seed: 27, bug: 'a leader whose machine had slept wrote over the placement of its successor' },
  { seed: 44, bug: 'a deposed leader moved copies by what it had known of the nodes' },
  { seed: 55, bug: 'a second process took the name of a node whose one answer was lost' },
  { seed: 11, bug: 'what was made anew after a shred had versions below those of before, where a clock went back' },
  {
    seed: 42,
    bug: 'a copy that a listing had named by the time of its file passed for a newer state than the promoted one',
  },
  { seed: 168, bug: 'a shred that was cut off behind its record was half undone by the next opener' },
  { seed: 186, bug: 'a segment that was handed over to a node just as that was started again was opened by nobody' },
  {
    seed: 107,
    bug: 'what a shred had left in cold storage came back when its segment, made anew, was opened after a restart',
  },
  {
    seed: 47,
    bug: 'a shred that failed behind its record left the segment open, and writes were acknowledged that nobody would find',
  },
];
