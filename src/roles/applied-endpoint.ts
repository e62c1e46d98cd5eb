import { AppliedLeases } from '../actors/applied-leases.ts';
import { AppliedRequest } from '../messages/node-messages.ts';
import { answerJson } from './endpoints.ts';
import { type NodeContext } from './node-context.ts';

/** Who opens a segment for writing asks whether this node knows. */
export function answerApplied({ clock, view, onLease, bus, subjects, self, supervisor }: NodeContext): void {
  const applied = new AppliedLeases({ clock, view });
  onLease(() => {
    applied.heard();
  });
  const bound = answerJson(
    bus,
    { subject: subjects.node(self.node, 'applied') },
    AppliedRequest,
    async ({ leases }) => {
      await applied.reached(leases);
      return {};
    },
  );
  supervisor.adopt('applied endpoint', () => {
    bound.unsubscribe();
  });
}
