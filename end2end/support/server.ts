import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

const root = path.resolve(import.meta.dirname, '../..');
/** The binary under test, and where a debug build reads the bundle from. */
export const binary = process.env.HYPERSCOPE_BIN ?? path.join(root, 'target/debug/hyperscope');
export const dist = process.env.HYPERSCOPE_DIST ?? path.join(root, 'target/quick-dist');

/** How long a start may take; a debug build on a busy machine is slow. */
const READY_MS = 60_000;
/** How long a polite stop may take before it is forced. */
const STOP_MS = 5_000;

/** A process of ours that has said it is ready. */
export interface Running {
  /** Where it listens: `http://127.0.0.1:PORT`. */
  origin: string;
  /** Lines of its standard output so far. */
  lines: string[];
  stop(): Promise<void>;
}

/** Starts `hyperscope COMMAND ARGS` and waits for its ready line. */
export async function start(args: string[], environment: Record<string, string> = {}): Promise<Running> {
  const child = spawn(binary, args, {
    env: { ...process.env, HYPERSCOPE_DIST: dist, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const log: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    log.push(line);
    if (log.length > 200) log.shift();
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));

  const ready = new Promise<string>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`${binary} ${args.join(' ')}: ${why}\n${log.join('\n')}`));
    const timer = setTimeout(() => fail('not ready in time'), READY_MS);
    child.once('error', (error) => fail(error.message));
    void exited.then((code) => fail(`ended with ${code} before it was ready`));
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      const origin = / ready on (https?:\/\/\S+)$/.exec(line)?.[1];
      if (origin) {
        clearTimeout(timer);
        resolve(origin);
      }
    });
  });

  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      const forced = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await exited;
      clearTimeout(forced);
    }
  };
  try {
    return { origin: await ready, lines, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A demo with its own data directory, gone when it stops. */
export interface Demo extends Running {
  /** The first token, an admin's. */
  token: string;
  /** The data directory. */
  dataDir: string;
  /** The link that `demo` prints. */
  loginLink: string;
}

/** Starts `hyperscope demo` on a free port. */
export async function startDemo(...args: string[]): Promise<Demo> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'hyperscope-end2end-'));
  const running = await start(['demo', '--listen', '127.0.0.1:0', '--data-dir', dataDir, ...args]);
  const stop = async () => {
    await running.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    const loginLink = await loginLine(running);
    return { ...running, stop, dataDir, loginLink, token: new URL(loginLink).searchParams.get('token') ?? '' };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function loginLine({ lines }: Running): Promise<string> {
  for (let tries = 0; tries < 50; tries += 1) {
    const link = lines.map((line) => /^login: (\S+)$/.exec(line)?.[1]).find(Boolean);
    if (link) return link;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no login line among: ${lines.join(' | ')}`);
}

/** Makes a token of a role in a demo's data directory, as a person at the console would. */
export async function createToken(demo: Demo, role: string, ...args: string[]): Promise<{ id: string; secret: string }> {
  const name = `${role}-${Date.now()}`;
  const output = await run(['token', 'create', '--data-dir', demo.dataDir, '--name', name, '--role', role, ...args]);
  const secret = /hs_[A-Za-z0-9_-]{40,}/.exec(output)?.[0];
  if (!secret) throw new Error(`no token in: ${output}`);
  const list = await run(['token', 'list', '--data-dir', demo.dataDir]);
  const id = list.split('\n').find((line) => line.includes(name))?.trim().split(/\s+/)[0];
  if (!id) throw new Error(`${name} is not in: ${list}`);
  await known(demo, secret);
  return { id, secret };
}

/** Waits until the running server has heard of a token, which it does within a second. */
async function known(demo: Demo, secret: string): Promise<void> {
  for (let tries = 0; tries < 50; tries += 1) {
    if ((await ask(`${demo.origin}/api/session`, secret)) === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the server does not take the token that was made');
}

/** The status of a GET with a token, whoever signed the server's certificate. */
function ask(url: string, token: string): Promise<number | undefined> {
  const get = url.startsWith('https:') ? https.get : http.get;
  const options = { headers: { Authorization: `Bearer ${token}` }, rejectUnauthorized: false };
  return new Promise((resolve, reject) => {
    get(url, options, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    }).once('error', reject);
  });
}

/** Revokes a token by its id. */
export async function revokeToken(demo: Demo, id: string): Promise<void> {
  await run(['token', 'revoke', '--data-dir', demo.dataDir, id]);
}

/** Runs `hyperscope ARGS` to its end and returns its standard output. */
async function run(args: string[]): Promise<string> {
  const child: ChildProcess = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`hyperscope ${args.join(' ')} ended with ${code}: ${errors}`);
  return output;
}
