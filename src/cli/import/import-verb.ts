import { type Command } from 'commander';
import { type Verbs } from '../verbs/verb.ts';

export function addImportVerb(program: Command, { context }: Verbs): void {
  program.command('import').action(async () => {
    await context.stderr.write('');
  });
}
