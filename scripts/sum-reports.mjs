// Says which tests failed and how, then prints `N passed, N failed[, N skipped]`, over vitest's JSON reports.
// A report that is missing or a file that did not load is a failure.
import { existsSync, readFileSync } from 'node:fs';

// Lines of a failure's message that are printed: what was expected and where, not a page of it.
const MOST_LINES = 30;

let [passed, failed, skipped] = [0, 0, 0];
for (const file of process.argv.slice(2)) {
  if (!existsSync(file)) {
    failed += 1;
    tell(file, 'the suite wrote no report');
    continue;
  }
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
    readFileSync(file, 'utf8'),
  );
  passed += numPassedTests;
  failed += numFailedTests;
  skipped += numPendingTests + numTodoTests;
  for (const { name, status, message, assertionResults } of testResults) {
    if (status === 'failed' && assertionResults.length === 0) {
      failed += 1;
      tell(name, message);
    }
    for (const test of assertionResults)
      if (test.status === 'failed') tell(`${name} > ${test.fullName}`, test.failureMessages.join('\n'));
  }
}
process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

function tell(what, message) {
  const lines = message.split('\n').slice(0, MOST_LINES);
  process.stdout.write(`failed: ${what}\n${lines.map((line) => `    ${line}\n`).join('')}\n`);
}
