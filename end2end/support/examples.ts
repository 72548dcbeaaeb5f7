import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A program of the documentation that serves a bundle. */
export interface Example {
  /** Where the bundle's page is. */
  page: string;
  stop(): Promise<void>;
}

const root = path.resolve(import.meta.dirname, '../..');

/** The block of `docs/embedding.md` in a language. */
function block(language: string): string {
  const text = readFileSync(path.join(root, 'docs/embedding.md'), 'utf8');
  const found = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(text)?.[1];
  if (!found) throw new Error(`docs/embedding.md has no example in ${language}`);
  return found;
}

/** What the test has to change in an example: each must be there once or more. */
function changed(text: string, changes: Record<string, string>): string {
  return Object.entries(changes).reduce((all, [from, to]) => {
    if (!all.includes(from)) throw new Error(`the example has no ${from}`);
    return all.replaceAll(from, to);
  }, text);
}

/** The example for nginx, in front of a daemon. */
export async function startNginx(bundle: string, daemon: string): Promise<Example> {
  const directory = mkdtempSync(path.join(tmpdir(), 'hyperscope-nginx-'));
  const address = `127.0.0.1:${await freePort()}`;
  const example = changed(block('nginx'), {
    '127.0.0.1:8090': address,
    'http://127.0.0.1:8080': daemon,
    '/var/www/hyperscope/': `${bundle}/`,
  });
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${directory}/${kind};`);
  const file = path.join(directory, 'nginx.conf');
  writeFileSync(
    file,
    `daemon off; master_process off; pid ${directory}/pid; error_log stderr;\nevents {}\nhttp {\naccess_log off;\n${temporary.join('\n')}\n${example}}\n`,
  );
  return run('nginx', ['-p', directory, '-e', 'stderr', '-c', file], directory, `http://${address}/site/web/dashboard/`);
}

/** The example in Go, compiled with the bundle inside. Beside it, as in a daemon, are the daemon's own routes. */
export async function startGo(bundle: string, daemon: string): Promise<Example> {
  const directory = mkdtempSync(path.join(tmpdir(), 'hyperscope-go-'));
  const address = `127.0.0.1:${await freePort()}`;
  mkdirSync(path.join(directory, 'dashboard'));
  cpSync(bundle, path.join(directory, 'dashboard'), { recursive: true });
  writeFileSync(path.join(directory, 'main.go'), block('go'));
  writeFileSync(path.join(directory, 'daemon.go'), DAEMON_ROUTES);
  writeFileSync(path.join(directory, 'go.mod'), 'module dashboard\n\ngo 1.22\n');
  const options = { cwd: directory, env: { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'local' }, stdio: 'pipe' } as const;
  execFileSync('go', ['vet', '.'], options);
  execFileSync('go', ['build', '-o', 'daemon', '.'], options);
  return run(path.join(directory, 'daemon'), [address], directory, `http://${address}/web/dashboard/`, { DAEMON: daemon });
}

/** The routes of a daemon, from a simulated one. */
const DAEMON_ROUTES = `package main

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

func init() {
	daemon, err := url.Parse(os.Getenv("DAEMON"))
	if err != nil {
		panic(err)
	}
	http.Handle("/", httputil.NewSingleHostReverseProxy(daemon))
}
`;

/** Runs a program until it is stopped; it is ready when the page answers. */
async function run(
  program: string,
  args: string[],
  directory: string,
  page: string,
  environment: Record<string, string> = {},
): Promise<Example> {
  const child = spawn(program, args, { env: { ...process.env, ...environment }, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const failed = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${program} ended with ${code}: ${log}`)));
  });
  const stop = async () => {
    failed.catch(() => undefined);
    if (child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
    }
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await Promise.race([failed, answers(page)]);
    return { page, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function answers(page: string): Promise<void> {
  for (let tries = 0; tries < 150; tries += 1) {
    if (await fetch(page).then(() => true, () => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${page} does not answer`);
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
