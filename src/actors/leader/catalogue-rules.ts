import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type ClusterView, isLost } from '../../messages/cluster-view.ts';
import { type SegmentTreatment } from '../../model/segment-rules.ts';
import { type Emit } from '../../runtime/actor.ts';
import { type CatalogueRows, manifestRow, type SegmentCells } from './catalogue-rows.ts';
import { type CatalogueRuled } from './catalogue-news.ts';

export interface CatalogueRulesDeps {
  readonly rows: CatalogueRows;
  readonly view: ClusterView;
  readonly rule: (id: string) => SegmentTreatment;
  readonly ruledBy?: string | undefined;
  readonly log: Log;
  readonly emit: Emit<CatalogueRuled>;
}

const PAGE = 20_000;

/** Keeps tier and copies of the catalogue's rows as the rules have them, those of single segments and those of the settings. */
export class CatalogueRules {
  readonly #deps: CatalogueRulesDeps;
  /** What could not be taken in, and is with the next that comes: a disk that fails for a moment changes nothing for good. */
  readonly #missed = new Set<string>();
  #hasMissedAll = false;

  constructor(deps: CatalogueRulesDeps) {
    this.#deps = deps;
  }

  /**
   * Those of these segments; of all without, and then nobody is told: a leader that begins has a term of its own, in which every node asks for its manifest.
   * To be called each second, also with none: what failed is tried again then.
   */
  async take(segments: readonly string[] | undefined): Promise<void> {
    const isAgain = this.#hasMissedAll;
    this.#hasMissedAll ||= segments === undefined;
    for (const segment of segments ?? []) this.#missed.add(segment);
    try {
      const all = this.#hasMissedAll ? await this.#takeAll() : [];
      // A manifest that was read meanwhile was by the rules of before.
      if (isAgain) for (const segment of all) this.#missed.add(segment);
      this.#hasMissedAll = false;
      const missed = [...this.#missed];
      await this.#takeThese(missed);
      for (const segment of missed) this.#missed.delete(segment);
    } catch (error) {
      this.#deps.log.warn(
        { actor: 'catalogue', err: TroughError.from(error) },
        'rules could not be taken into the catalogue; they are soon',
      );
    }
  }

  async #takeAll(): Promise<readonly string[]> {
    const { rows, view, ruledBy = '' } = this.#deps;
    if (isLost(view)) return [];
    if (!(await rows.isSettledBy(ruledBy))) {
      await this.#goThrough();
      await rows.settledBy(ruledBy);
    }
    const present = Array.from(view.rules(), ({ document }) => document.segment);
    const all = [...new Set([...present, ...(await rows.keptRules())])];
    await this.#keep(all);
    return all;
  }

  async #takeThese(segments: readonly string[]): Promise<void> {
    if (segments.length === 0) return;
    await this.#keep(segments);
    // Also those of which only the nodes changed.
    if (!isLost(this.#deps.view)) this.#say(await this.#deps.rows.these(segments));
  }

  async #keep(segments: readonly string[]): Promise<void> {
    const { rows, view } = this.#deps;
    // A store that was lost says nothing of rules: those that are kept here are what is left of them.
    if (isLost(view) || segments.length === 0) return;
    const documents = segments.map((id) => view.rule(id)?.document).filter((one) => one !== undefined);
    const gone = segments.filter((id) => view.rule(id) === undefined);
    await rows.keepRules(documents, gone);
    await rows.treat(segments);
  }

  async #goThrough(): Promise<void> {
    const { rows } = this.#deps;
    const lastKey = await rows.lastKey();
    for (let after = 0; ;) {
      const keys = await rows.keysOf(after, lastKey, PAGE);
      const last = keys.at(-1);
      if (last === undefined) return;
      await rows.treat(await rows.ids(keys));
      after = last;
    }
  }

  #say(cells: readonly SegmentCells[]): void {
    if (cells.length === 0) return;
    const rows = cells.map(([id, , , version, size, sha256]) => ({
      ...manifestRow([id, version, size, sha256]),
      ...this.#deps.rule(String(id)),
    }));
    this.#deps.emit({ kind: 'ruled', rows });
  }
}
