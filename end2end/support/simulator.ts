import { execFileSync } from 'node:child_process';

import { binary, dist, type Running, start } from './server.ts';

/** A simulated daemon. */
export interface Simulator extends Running {
  /** Starts a fault for some seconds. */
  fault(kind: string, seconds: number): Promise<void>;
}

/** Starts `hyperscope daemon-sim` on a free port. */
export async function startSimulator(args: string[] = []): Promise<Simulator> {
  const running = await start(['daemon-sim', '--listen', '127.0.0.1:0', '--jobs-per-minute', '30', ...args]);
  const fault = async (kind: string, seconds: number) => {
    const body = JSON.stringify({ kind, seconds });
    const answer = await fetch(`${running.origin}/sim/fault`, { method: 'POST', body });
    if (!answer.ok) throw new Error(`fault ${kind}: ${answer.status} ${await answer.text()}`);
  };
  return { ...running, fault };
}

/** Writes the static bundle to a directory. */
export function writeBundle(directory: string): void {
  execFileSync(binary, ['bundle', '--out', directory], { env: { ...process.env, HYPERSCOPE_DIST: dist }, stdio: 'pipe' });
}
