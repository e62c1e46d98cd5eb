import { type TroughError } from '../errors.ts';

/** Ms without a sign of life after which a process that was asked to do something counts as gone; one that works gives a sign every 2 s. */
export const CONTROL_SILENCE_MS = 6_000;

/** Whether the answering side fell silent: it may have done what was asked, or may still do it. */
export function isSilence({ code, context }: TroughError): boolean {
  return context['silent'] === true && (code === 'BUS_TIMEOUT' || code === 'LEADER_UNKNOWN');
}
