import { type RoleName, type Urls } from '../messages/documents.ts';
import { type NodeContext } from './node-context.ts';
import { startReader } from './reader.ts';
import { startSyncLocal } from './sync-local.ts';
import { startSyncMaster } from './sync-master.ts';
import { answerSurveys } from './survey.ts';
import { startWriter } from './writer.ts';

const START: Readonly<Record<RoleName, (context: NodeContext) => { url: string } | Promise<{ url: string }>>> = {
  'sync-local': startSyncLocal,
  writer: startWriter,
  reader: startReader,
  'sync-master': startSyncMaster,
};
const URL_KEY = { reader: 'read', writer: 'write', 'sync-master': 'syncMaster', 'sync-local': 'syncLocal' } as const;
/** Starts the roles that the settings name, those first that others rest on. Where each can be reached. */
export async function startEach(context: NodeContext): Promise<Urls> {
  answerSurveys(context);
  const started: Urls = {};
  for (const role of Object.keys(START) as RoleName[]) {
    if (!context.settings.roles.includes(role)) continue;
    started[URL_KEY[role]] = (await START[role](context)).url;
  }
  const { read, write, syncMaster, syncLocal } = started;
  return { read, write, syncMaster, syncLocal };
}
