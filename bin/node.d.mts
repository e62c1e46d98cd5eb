export function findNode(from: string): string;
export const NODE_FLAGS: readonly string[];
