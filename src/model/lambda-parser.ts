/** Ids that are numbers within these bounds, both inclusive; without bounds every id that is a number. */
export interface NumericCondition {
  readonly from: bigint | undefined;
  readonly to: bigint | undefined;
}

/** The value (True is 1, False is 0) for the ids that fit and fitted no branch before. The last branch has no condition. */
export interface LambdaBranch {
  readonly value: number;
  readonly condition: NumericCondition | undefined;
}

const TOKEN = /\s*(?:(\d+)|([A-Za-z_]\w*)|(<=|>=|==|[<>().:]))/uy;
const OPERATORS = ['<', '<=', '>', '>=', '=='] as const;
type Operator = (typeof OPERATORS)[number];
const MIRRORED: Readonly<Record<Operator, Operator>> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=', '==': '==' };
const NUMERIC_TESTS: readonly string[] = ['isnumeric', 'isdigit', 'isdecimal'];
const RESERVED: readonly string[] = [
  'lambda',
  'if',
  'else',
  'and',
  'or',
  'not',
  'in',
  'is',
  'True',
  'False',
  'None',
  'int',
];
const MOST_TOKENS = 500;

/** Says that the text is beyond the small language; never leaves this file. */
class Beyond extends Error {}

/** What the few forms of Python lambda mean that settings of the original hold; undefined when the text is none of them. */
export function parseLambda(text: string): readonly LambdaBranch[] | undefined {
  try {
    return new Parser(tokensOf(text)).parse();
  } catch (error) {
    if (error instanceof Beyond) return undefined;
    throw error;
  }
}

class Parser {
  readonly #tokens: readonly string[];
  #at = 0;
  #argument = '';

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  parse(): LambdaBranch[] {
    if (this.#take('lambda')) {
      this.#argument = this.#next();
      if (!/^[A-Za-z_]/.test(this.#argument) || RESERVED.includes(this.#argument)) throw new Beyond();
      this.#demand(':');
    }
    const branches = this.#expression();
    if (this.#peek() !== undefined) throw new Beyond();
    return branches;
  }

  /** VALUE | VALUE if CONDITION else EXPRESSION | CONDITION */
  #expression(): LambdaBranch[] {
    const value = this.#value();
    if (value === undefined) {
      const condition = this.#condition();
      return [
        { value: 1, condition },
        { value: 0, condition: undefined },
      ];
    }
    if (!this.#take('if')) return [{ value, condition: undefined }];
    const condition = this.#condition();
    this.#demand('else');
    const inParentheses = this.#take('(');
    const rest = this.#expression();
    if (inParentheses) this.#demand(')');
    return [{ value, condition }, ...rest];
  }

  /** undefined: what comes is a condition. */
  #value(): number | undefined {
    const token = this.#peek() ?? '';
    if (isOperator(this.#tokens[this.#at + 1])) return undefined;
    if (token === 'True' || token === 'False' || /^\d+$/.test(token)) {
      this.#at += 1;
      return token === 'True' ? 1 : token === 'False' ? 0 : Number(token);
    }
    return undefined;
  }

  /** One or more parts joined by `and`. */
  #condition(): NumericCondition {
    let all: NumericCondition = { from: undefined, to: undefined };
    do all = both(all, this.#part());
    while (this.#take('and'));
    return all;
  }

  #part(): NumericCondition {
    if (this.#take('(')) {
      const inner = this.#condition();
      this.#demand(')');
      return inner;
    }
    if (this.#argument !== '' && this.#take(this.#argument)) {
      this.#demand('.');
      if (!NUMERIC_TESTS.includes(this.#next())) throw new Beyond();
      this.#demand('(');
      this.#demand(')');
      return { from: undefined, to: undefined };
    }
    return this.#comparison();
  }

  /** `int(ID) OP NUMBER`, `NUMBER OP int(ID)` or `NUMBER OP int(ID) OP NUMBER`. An id that is no number fits none; Python would fail on it. */
  #comparison(): NumericCondition {
    const left = this.#operand();
    if (left === 'id') return bounds(this.#operator(), this.#number());
    const mirrored = MIRRORED[this.#operator()];
    if (this.#operand() !== 'id') throw new Beyond();
    const first = bounds(mirrored, left);
    return isOperator(this.#peek()) ? both(first, bounds(this.#operator(), this.#number())) : first;
  }

  #operand(): 'id' | bigint {
    if (!this.#take('int')) return this.#number();
    this.#demand('(');
    if (this.#argument === '') throw new Beyond();
    this.#demand(this.#argument);
    this.#demand(')');
    return 'id';
  }

  #number(): bigint {
    const token = this.#next();
    if (!/^\d+$/.test(token)) throw new Beyond();
    return BigInt(token);
  }

  #operator(): Operator {
    const token = this.#next();
    if (!isOperator(token)) throw new Beyond();
    return token;
  }

  #peek(): string | undefined {
    return this.#tokens[this.#at];
  }

  #next(): string {
    const token = this.#tokens[this.#at];
    if (token === undefined) throw new Beyond();
    this.#at += 1;
    return token;
  }

  #take(token: string): boolean {
    if (this.#peek() !== token) return false;
    this.#at += 1;
    return true;
  }

  #demand(token: string): void {
    if (!this.#take(token)) throw new Beyond();
  }
}

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  const trimmed = text.trim();
  for (let at = 0; at < trimmed.length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const groups: readonly (string | undefined)[] = TOKEN.exec(trimmed)?.slice(1) ?? [];
    const token = groups.find((group) => group !== undefined);
    if (token === undefined || tokens.length >= MOST_TOKENS) throw new Beyond();
    tokens.push(token);
  }
  return tokens;
}

function isOperator(token: string | undefined): token is Operator {
  return OPERATORS.some((operator) => operator === token);
}

/** The whole numbers that stand in this relation to `number`. */
function bounds(operator: Operator, number: bigint): NumericCondition {
  switch (operator) {
    case '<':
      return { from: undefined, to: number - 1n };
    case '<=':
      return { from: undefined, to: number };
    case '>':
      return { from: number + 1n, to: undefined };
    case '>=':
      return { from: number, to: undefined };
    case '==':
      return { from: number, to: number };
  }
}

function both(one: NumericCondition, other: NumericCondition): NumericCondition {
  const from = one.from === undefined || (other.from !== undefined && other.from > one.from) ? other.from : one.from;
  const to = one.to === undefined || (other.to !== undefined && other.to < one.to) ? other.to : one.to;
  return { from, to };
}
