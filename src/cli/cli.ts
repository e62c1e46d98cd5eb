import { CommanderError } from 'commander';
import { TroughError } from '../errors.ts';
import { didYouMean } from '../settings/did-you-mean.ts';
import { type CliContext } from './context.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';
import { buildProgram } from './program.ts';
import { UsageError } from './usage-error.ts';

/** Runs one command line; the result is the exit code. Errors become one line on stderr. */
export async function runCli(context: CliContext): Promise<number> {
  const outcome = { code: EXIT.ok as number };
  const text: { out: string; err: string } = { out: '', err: '' };
  const program = buildProgram(context, outcome, text);
  try {
    await program.parseAsync([...context.args], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      outcome.code = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
      if (outcome.code !== EXIT.ok)
        text.err = `trough: ${usageSentence(
          error,
          context.args,
          program.commands.map((command) => command.name()),
        )}\n`;
    } else if (error instanceof UsageError) {
      outcome.code = EXIT.usage;
      text.err = `trough: ${error.message} (${error.code})\n`;
    } else {
      const known = TroughError.from(error);
      outcome.code = exitCodeOf(known);
      text.err = `trough: ${known.message} (${known.code})\n`;
    }
  }
  if (text.out !== '') await context.stdout.write(text.out);
  if (text.err !== '') await context.stderr.write(text.err);
  return outcome.code;
}

function usageSentence(error: CommanderError, args: readonly string[], verbs: readonly string[]): string {
  const verb = args[0] ?? '';
  if (
    error.code === 'commander.excessArguments' &&
    !verb.startsWith('-') &&
    verb !== 'run' &&
    /for 'run'/.test(error.message)
  ) {
    return `there is no verb '${verb}'${didYouMean(verb, verbs)}; see trough --help`;
  }
  const message = error.message.replace(/^error: /, '').replace(/\n\(Did you mean (.*)\?\)/, '; did you mean $1?');
  return `${message}; see trough ${verb.startsWith('-') || verb === '' ? '' : `${verb} `}--help`;
}
