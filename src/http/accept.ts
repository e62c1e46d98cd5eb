interface Offer {
  /** In lower case, `*` and its like included. */
  readonly name: string;
  /** From 0, not acceptable, to 1. */
  readonly weight: number;
}

/**
 * Of what we have, what a header of the Accept family likes best (RFC 9110, 12.4 and 12.5): by its weights, then by how exactly it names
 * it, then by its order. `names` are lower-case; the first of those that are liked alike is taken. Undefined when none is acceptable.
 */
export function preferred<const Name extends string>(
  header: string,
  names: readonly (readonly [Name, ...string[]])[],
): Name | undefined {
  const offers = offersOf(header);
  let best: { readonly name: Name; readonly rank: Rank } | undefined;
  for (const aliases of names) {
    for (const alias of aliases) {
      const rank = rankOf(offers, alias);
      if (rank !== undefined && (best === undefined || isHigher(rank, best.rank))) best = { name: aliases[0], rank };
    }
  }
  return best?.name;
}

/** How much a header of the Accept family wants what it names exactly so; undefined when it does not name it. */
export function weightOf(header: string, name: string): number | undefined {
  return offersOf(header).find((offer) => offer.name === name)?.weight;
}

/** Weight, exactness, place in the header counted from its end. */
type Rank = readonly [number, number, number];

function rankOf(offers: readonly Offer[], name: string): Rank | undefined {
  const general = [name, `${name.slice(0, name.indexOf('/'))}/*`, name.includes('/') ? '*/*' : '*'];
  for (const [vagueness, pattern] of general.entries()) {
    const at = offers.findIndex((offer) => offer.name === pattern);
    const weight = offers[at]?.weight;
    // The most exact one decides, also when it says no.
    if (weight !== undefined) return weight === 0 ? undefined : [weight, -vagueness, -at];
  }
  return undefined;
}

function isHigher(rank: Rank, than: Rank): boolean {
  const [weight, exactness, place] = rank;
  if (weight !== than[0]) return weight > than[0];
  return exactness === than[1] ? place > than[2] : exactness > than[1];
}

function offersOf(header: string): Offer[] {
  return header.split(',').flatMap((part) => {
    const [name = '', ...parameters] = part.split(';').map((each) => each.trim().toLowerCase());
    return name === '' ? [] : [{ name, weight: qualityOf(parameters) }];
  });
}

/** One that cannot be read counts as not given. */
function qualityOf(parameters: readonly string[]): number {
  const given = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1';
  return /^(0(\.\d*)?|1(\.0*)?)$/.test(given) ? Number(given) : 1;
}
