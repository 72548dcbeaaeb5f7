import { execFileSync } from 'node:child_process';

import { binary, dist, type Running, start } from './server.ts';

/** A simulated daemon. */
export interface Simulator extends Running {
  /** Starts a fault for some seconds. */
  fault(kind: string, seconds: number): Promise<void>;
  /** Submits jobs; the id of the last one. */
  submit(job: Record<string, unknown>): Promise<string>;
  /** Changes a job: `complete`, `fail`, `cancel` or `progress?percent=N`. */
  change(id: string, change: string): Promise<void>;
}

/** How a simulated daemon is started. */
export interface SimulatorOptions {
  /** On which port; any free one if it is 0. */
  port?: number;
  jobsPerMinute?: number;
}

/** Starts `hyperscope daemon-sim` with further arguments. */
export async function startSimulator(args: string[] = [], { port = 0, jobsPerMinute = 30 }: SimulatorOptions = {}): Promise<Simulator> {
  const running = await start(['daemon-sim', '--listen', `127.0.0.1:${port}`, '--jobs-per-minute', String(jobsPerMinute), ...args]);
  const post = async (path: string, body?: unknown): Promise<string> => {
    const answer = await fetch(`${running.origin}/sim/${path}`, { method: 'POST', ...(body ? { body: JSON.stringify(body) } : {}) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`/sim/${path}: ${answer.status} ${text}`);
    return text;
  };
  return {
    ...running,
    fault: async (kind, seconds) => void (await post('fault', { kind, seconds })),
    submit: async (job) => JSON.parse(await post('jobs', job)).job_id,
    change: async (id, change) => void (await post(`jobs/${id}/${change}`)),
  };
}

/** Writes the static bundle to a directory, with further arguments. */
export function writeBundle(directory: string, args: string[] = []): void {
  execFileSync(binary, ['bundle', '--out', directory, ...args], { env: { ...process.env, HYPERSCOPE_DIST: dist }, stdio: 'pipe' });
}
