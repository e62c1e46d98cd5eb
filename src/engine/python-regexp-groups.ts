interface Scope {
  readonly parent: Scope | undefined;
  /** The branch of the parent that it stands in. */
  readonly branchOfParent: number;
  branch: number;
  isOpen: boolean;
  isOptional: boolean;
}

/**
 * Counts groups, and knows whether a group has surely taken part where a pattern refers to it: Python fails to match a reference to a
 * group that has not, JavaScript matches the empty text. Also refuses a quantifier that has nothing to repeat.
 */
export class GroupTracker {
  readonly #captures: Scope[] = [];
  readonly #names = new Map<string, number>();
  #scope: Scope = newScope(undefined);
  /** What a quantifier would repeat: a closed group, something else, or nothing. */
  #last: Scope | 'item' | undefined;

  open(name: string | undefined): void {
    const scope = newScope(this.#scope);
    this.#captures.push(scope);
    if (name !== undefined) {
      if (this.#names.has(name)) throw new SyntaxError(`redefinition of group name ${name}`);
      this.#names.set(name, this.#captures.length);
    }
    this.#enter(scope);
  }

  /** A group that captures nothing. */
  enter(): void {
    this.#enter(newScope(this.#scope));
  }

  close(): void {
    const closed = this.#scope;
    closed.isOpen = false;
    if (closed.parent !== undefined) this.#scope = closed.parent;
    this.#last = closed;
  }

  alternative(): void {
    this.#scope.branch += 1;
    this.#last = undefined;
  }

  item(): void {
    this.#last = 'item';
  }

  anchor(): void {
    this.#last = undefined;
  }

  repeat(least: number): void {
    if (this.#last === undefined) throw new SyntaxError('nothing to repeat');
    if (this.#last !== 'item' && least === 0) this.#last.isOptional = true;
    this.#last = undefined;
  }

  referenceByName(name: string): number {
    const number = this.#names.get(name);
    if (number === undefined) throw new SyntaxError(`unknown group name ${name}`);
    return this.reference(number);
  }

  reference(number: number): number {
    const group = this.#captures[number - 1];
    if (group === undefined) throw new SyntaxError(`invalid group reference ${String(number)}`);
    if (group.isOpen) throw new SyntaxError('cannot refer to an open group');
    for (let scope: Scope = group; scope.parent !== undefined; scope = scope.parent) {
      const { parent } = scope;
      const surely =
        !scope.isOptional && (parent.isOpen ? scope.branchOfParent === parent.branch : parent.branch === 0);
      if (!surely) throw new SyntaxError(`group ${String(number)} may not have taken part where it is referred to`);
      if (parent.isOpen) return number;
    }
    return number;
  }

  #enter(scope: Scope): void {
    this.#scope = scope;
    this.#last = undefined;
  }
}

function newScope(parent: Scope | undefined): Scope {
  return { parent, branchOfParent: parent?.branch ?? 0, branch: 0, isOpen: true, isOptional: false };
}
