/** Whether a subject is one of those that a pattern names, token by token: `*` is any one token, `>` all that follow, at least one. */
export function matchesSubject(pattern: readonly string[], tokens: readonly string[]): boolean {
  for (const [at, want] of pattern.entries()) {
    if (want === '>') return tokens.length > at;
    if (at >= tokens.length || (want !== '*' && want !== tokens[at])) return false;
  }
  return pattern.length === tokens.length;
}
