/** What the settings and the roles may know of the machine and the process; gathered once, in main.ts. */
export interface Host {
  /** The program that runs child processes of our own: node, under which this process runs. */
  readonly nodePath: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly hostname: string;
  readonly pid: number;
  /** Of trough, as package.json has it. */
  readonly version: string;
  readonly cores: number;
  /** One-minute load average of the machine, now. */
  readonly load: () => number;
  readonly memoryBytes: number;
}
