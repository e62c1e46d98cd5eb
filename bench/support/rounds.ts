import { type Plan } from './plan.ts';
import { renderTable, Samples } from './samples.ts';
import { say } from './say.ts';
import { type Record } from './stage.ts';

/** Runs lines as often as the plan says and keeps what they measure. A line that throws is not tried again, and fails the bench; no figure does. */
export class Rounds {
  readonly #plan: Plan;
  readonly #samples = new Samples();
  readonly #failures: string[] = [];

  constructor(plan: Plan) {
    this.#plan = plan;
  }

  async run(line: string, round: (record: Record) => Promise<void>): Promise<void> {
    const { rounds } = this.#plan;
    try {
      for (let done = 1; done <= rounds; done += 1) {
        await round((figure, system, value) => {
          this.#samples.add({ line, figure, system, value });
        });
        say(`${line}: round ${String(done)} of ${String(rounds)}`);
      }
    } catch (error) {
      this.failed(line, error);
    }
  }

  failed(line: string, error: unknown): void {
    this.#failures.push(`${line}: ${String(error)}`);
  }

  /** Says the table and what failed. The exit code. */
  end(): number {
    const rows = this.#samples.rows();
    say(`\n${renderTable(rows)}`);
    if (rows.length === 0) this.#failures.push(`no line is named ${this.#plan.lines.join(', ')}`);
    for (const failure of this.#failures) say(`failed: ${failure}`);
    return this.#failures.length === 0 ? 0 : 1;
  }
}
