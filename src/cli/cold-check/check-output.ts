import { type ColdFinding } from '../../messages/cold-check.ts';
import { type CheckTally } from './check-tally.ts';
import { type Output } from '../output.ts';
import { printable } from '../table.ts';

const LINE_EVERY_MS = 5_000;
const KIND_WIDTH = 9;

/** What a check says: findings and the end on stdout, progress on stderr. */
export class CheckOutput {
  readonly #out: Output;
  readonly #err: Output;
  readonly #asJson: boolean;
  #saidAtMs = 0;
  #drawn = false;

  constructor(out: Output, err: Output, asJson: boolean) {
    this.#out = out;
    this.#err = err;
    this.#asJson = asJson;
  }

  /** False when nobody reads any more. */
  async findings(findings: readonly ColdFinding[]): Promise<boolean> {
    if (findings.length === 0) return true;
    await this.#wipe();
    const lines = findings.map((finding) => (this.#asJson ? JSON.stringify(finding) : describe(finding)));
    return this.#out.write(`${lines.join('\n')}\n`);
  }

  /** A line that is drawn over itself on a terminal, else one every five seconds. */
  async progress(tally: CheckTally): Promise<void> {
    const { isTty, columns } = this.#err;
    if (!isTty && tally.elapsedMs - this.#saidAtMs < LINE_EVERY_MS) return;
    this.#saidAtMs = tally.elapsedMs;
    this.#drawn = isTty;
    const line = tally.progressLine();
    await this.#err.write(isTty ? `\r${line.slice(0, columns - 1)}\u001b[K` : `${line}\n`);
  }

  async end(tally: CheckTally): Promise<void> {
    await this.#wipe();
    const { checked, found, open, elapsedMs } = tally;
    const summary = { _trough: { summary: { checked, found, open, elapsedMs: Math.round(elapsedMs) } } };
    await this.#out.write(`${this.#asJson ? JSON.stringify(summary) : tally.summaryLine()}\n`);
  }

  async note(sentence: string): Promise<void> {
    await this.#wipe();
    await this.#err.write(`trough: ${sentence}\n`);
  }

  async #wipe(): Promise<void> {
    if (this.#drawn) await this.#err.write('\r\u001b[K');
    this.#drawn = false;
  }
}

function describe({ kind, segment, path, why, copies, repaired, repair }: ColdFinding): string {
  const where = copies.map(({ node, version }) => `${node} (version ${String(version)})`).join(', ');
  const parts = [why, ...(where === '' ? [] : [`copies on ${where}`]), `${repaired ? 'mended' : 'left'}: ${repair}`];
  return printable(`${kind.padEnd(KIND_WIDTH)}${segment ?? '-'}  ${path}: ${parts.join('; ')}`);
}
