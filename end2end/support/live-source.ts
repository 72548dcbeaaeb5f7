import http from 'node:http';
import type { AddressInfo } from 'node:net';

import { decode, encode } from 'cborg';
import { type WebSocket, WebSocketServer } from 'ws';

/** One series of a made frame. */
export interface MadeSeries {
  labels: Record<string, string>;
  /** Milliseconds since the Unix epoch. */
  timestamps: number[];
  values: number[];
}

/** The newest time of made data: a whole multiple of `stepMs`, and not before the clock of the server that renders the page. */
export function beginning(stepMs: number): number {
  return Math.ceil(Date.now() / stepMs) * stepMs;
}

/** The multiples of `stepMs` between two times, both included. */
export function times(fromMs: number, toMs: number, stepMs: number): number[] {
  const found: number[] = [];
  for (let at = Math.ceil(fromMs / stepMs) * stepMs; at <= toMs; at += stepMs) found.push(at);
  return found;
}

/** The series of a query between two times, both included. */
export type Make = (expr: string, fromMs: number, toMs: number) => MadeSeries[];


/**
 * A hyperscope server whose live protocol is answered with made data: time goes on when the test says so. Everything but `/ws` is the
 * real server's.
 */
export class LiveSource {
  readonly #server: http.Server;
  readonly #make: Make;
  readonly #sockets = new Map<WebSocket, Map<number, { expr: string; windowMs: number }>>();
  #seq = 1;
  #nowMs: number;

  private constructor(target: string, make: Make, nowMs: number) {
    this.#make = make;
    this.#nowMs = nowMs;
    this.#server = http.createServer((request, response) => {
      const { method, headers, url } = request;
      const upstream = http.request(new URL(url ?? '/', target), { method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      upstream.on('error', () => response.destroy());
      request.pipe(upstream);
    });
    const sockets = new WebSocketServer({ server: this.#server, path: '/ws' });
    sockets.on('connection', (socket) => this.#join(socket));
  }

  /** In front of the server at `target`; the newest data is of `nowMs`. */
  static async before(target: string, make: Make, nowMs: number): Promise<LiveSource> {
    const source = new LiveSource(target, make, nowMs);
    await new Promise<void>((resolve) => source.#server.listen(0, '127.0.0.1', resolve));
    return source;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How many queries are subscribed to. */
  get subscriptions(): number {
    return [...this.#sockets.values()].reduce((sum, queries) => sum + queries.size, 0);
  }

  /** Lets time go on, and sends what is new of every query. */
  advance(byMs: number): void {
    const fromMs = this.#nowMs + 1;
    this.#nowMs += byMs;
    for (const [socket, queries] of this.#sockets) {
      for (const [id, { expr }] of queries) {
        this.#send(socket, { type: 'delta', id, seq: this.#seq++, data: this.#frame(expr, fromMs) });
      }
    }
  }

  /** Ends every connection, as a server that goes away does. */
  cut(): void {
    for (const socket of this.#sockets.keys()) socket.terminate();
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(socket: WebSocket): void {
    const queries = new Map<number, { expr: string; windowMs: number }>();
    this.#sockets.set(socket, queries);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('message', (bytes: Buffer) => {
      const message = decode(bytes);
      if (message.type === 'unsubscribe') queries.delete(Number(message.id));
      if (message.type === 'subscribe') this.#subscribe(socket, queries, message);
    });
    this.#send(socket, { type: 'hello', protocol: 1, boot_id: 'made', version: '', role: 'viewer', now_ms: this.#nowMs, dashboards: '' });
  }

  #subscribe(socket: WebSocket, queries: Map<number, { expr: string; windowMs: number }>, message: Record<string, unknown>): void {
    const id = Number(message.id);
    const seq = this.#seq++;
    if (message.topic !== 'query') {
      const topic = String(message.topic);
      this.#send(socket, { type: 'snapshot', id, seq, data: { [topic]: [] } });
      return;
    }
    const query = { expr: String(message.expr), windowMs: Number(message.window_ms) };
    queries.set(id, query);
    this.#send(socket, { type: 'snapshot', id, seq, data: this.#frame(query.expr, this.#nowMs - query.windowMs) });
  }

  #frame(expr: string, fromMs: number): Record<string, unknown> {
    const series = this.#make(expr, fromMs, this.#nowMs).map(({ labels, timestamps, values }) => ({
      labels,
      timestamps: Buffer.from(BigInt64Array.from(timestamps, BigInt).buffer),
      values: Buffer.from(Float64Array.from(values).buffer),
    }));
    return { series, end_ms: this.#nowMs };
  }

  #send(socket: WebSocket, message: unknown): void {
    socket.send(encode(message));
  }
}
