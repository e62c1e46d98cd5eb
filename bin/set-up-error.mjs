/** Something that the person at the keyboard has to put right; shown without a stack trace. */
export class SetUpError extends Error {}
