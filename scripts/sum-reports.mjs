// Says which tests failed and how, then prints `N passed, N failed[, N skipped]`, over vitest's JSON reports.
// A report that is missing or a file that did not load is a failure.
import { existsSync, readFileSync } from 'node:fs';

// Lines of a failure's message that are printed: what was expected and where, not a page of it.
const MOST_LINES = 30;

let [passed, failed, skipped] = [0, 0, 0];

function tellFailure(what, message) {
  failed += 1;
  const lines = message.split('\n');
  process.stdout.write(`failed: ${what}\n${lines.slice(0, MOST_LINES).join('\n    ')}\n\n`);
}

for (const file of process.argv.slice(2)) {
  if (!existsSync(file)) {
    tellFailure(file, 'The suite wrote no report.');
    continue;
  }
  const { numPassedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(readFileSync(file, 'utf8'));
  passed += numPassedTests;
  skipped += numPendingTests + numTodoTests;
  for (const { name, status, message, assertionResults } of testResults) {
    if (status === 'failed' && assertionResults.length === 0) tellFailure(name, message);
    for (const { status, fullName, failureMessages } of assertionResults)
      if (status === 'failed') tellFailure(`${name} > ${fullName}`, failureMessages.join('\n'));
  }
}
process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
