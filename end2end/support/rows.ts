import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** One measured number, as in `bench/results.json`. */
export interface Row {
  name: string;
  value: number;
  unit: string;
  peer: string | null;
  peer_value: number | null;
  ratio: number | null;
}

/** A number beside what it should not exceed. */
export function row(name: string, value: number, unit: string, goal?: number): Row {
  const compared = goal === undefined ? { peer: null, peer_value: null, ratio: null } : { peer: 'goal', peer_value: goal, ratio: value / goal };
  return { name, value, unit, ...compared };
}

/** A number beside that of a named peer, measured in the same run. */
export function beside(name: string, value: number, unit: string, peer: string, peerValue: number): Row {
  return { name, value, unit, peer, peer_value: peerValue, ratio: value / peerValue };
}

/** Adds rows to the file that the run is to leave. */
export function record(...rows: Row[]): void {
  for (const { name, value, unit, peer, peer_value: peerValue, ratio } of rows) {
    const compared = peer === null ? '' : `, ${peer} ${peerValue?.toFixed(1)} (${ratio?.toFixed(2)})`;
    console.log(`${name}: ${value.toFixed(1)} ${unit}${compared}`);
  }
  const file = process.env.HYPERSCOPE_BENCH_ROWS;
  if (!file) return;
  const before: Row[] = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];
  writeFileSync(file, JSON.stringify([...before, ...rows], null, 2));
}

/** The value that `share` of the numbers do not exceed. */
export function percentile(numbers: number[], share: number): number {
  const sorted = [...numbers].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
