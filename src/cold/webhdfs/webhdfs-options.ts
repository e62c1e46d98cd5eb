import { type Clock } from '../../runtime/clock.ts';
import { type WebHdfsPlace } from '../../model/cold-place.ts';

/** How long each phase may take. */
export interface HdfsTimes {
  /** Until a connection stands, TLS included. */
  readonly connectMs: number;
  /** Until a whole answer that is no file: of the name node from the start, of a data node from when all was sent. */
  readonly answerMs: number;
  /** A transfer moves `paceBytes` in each of these, or it is broken off. */
  readonly paceMs: number;
  readonly paceBytes: number;
  /** How often one step is tried in all. */
  readonly attempts: number;
  /** Pause before the second try; doubles. */
  readonly pauseMs: number;
}

export const USUAL_TIMES: HdfsTimes = {
  connectMs: 5_000,
  answerMs: 20_000,
  paceMs: 20_000,
  paceBytes: 1024 * 1024,
  attempts: 4,
  pauseMs: 200,
};

export interface WebHdfsOptions {
  readonly place: WebHdfsPlace;
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Path of the API at every address; default /webhdfs/v1. */
  readonly apiPath?: string | undefined;
  /** A file whose one line is sent as the header Authorization to the addresses of `place`, never to others. Read again when it is refused. */
  readonly authorizationFile?: string | undefined;
  /** A PEM file with the authorities that certificates may be signed by, in place of the usual ones. */
  readonly caFile?: string | undefined;
  /** Replicas that a published file must have before it counts. */
  readonly replicas?: number | undefined;
  readonly times?: Partial<HdfsTimes> | undefined;
}
