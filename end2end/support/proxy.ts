import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** What the way to the server is like. */
type Weather =
  /** Everything passes. */
  | 'clear'
  /** Requests pass, WebSocket upgrades are refused, as some corporate proxies do. */
  | 'no-upgrades'
  /** Nothing passes: connections are closed as soon as they are made. */
  | 'down';

/** A TCP proxy in front of a server, to cut what a browser cannot cut by itself. */
export class Proxy {
  readonly #pairs = new Set<[Socket, Socket]>();
  /** All that are connected, those included that have not said anything yet. */
  readonly #clients = new Set<Socket>();
  readonly #server: Server;
  #weather: Weather = 'clear';
  #target = '';
  /** How many upgrades were asked for. */
  upgrades = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Listens on a free port and passes everything to `target`, an origin. */
  static async to(target: string): Promise<Proxy> {
    const server = createServer();
    const proxy = new Proxy(server);
    proxy.lead(target);
    server.on('connection', (client) => proxy.#join(client));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  /** Where the browser finds it. */
  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Passes new connections to another server. */
  lead(target: string): void {
    this.#target = target;
  }

  /** Changes what passes from now on; open connections stay. */
  become(weather: Weather): void {
    this.#weather = weather;
  }

  /** Cuts every open connection. */
  cut(): void {
    for (const [client, upstream] of this.#pairs) {
      client.destroy();
      upstream.destroy();
    }
  }

  async close(): Promise<void> {
    this.cut();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    // A browser connects ahead of its requests: such a connection would go on for as long as it likes.
    for (const client of this.#clients) client.destroy();
    await closed;
  }

  #join(client: Socket): void {
    const { hostname: host, port } = new URL(this.#target);
    client.on('error', () => client.destroy());
    this.#clients.add(client);
    client.on('close', () => this.#clients.delete(client));
    if (this.#weather === 'down') {
      client.destroy();
      return;
    }
    client.once('data', (first) => {
      // A browser opens a connection of its own for each socket, so that its first bytes tell.
      if (/^upgrade: websocket\r$/im.test(first.toString('latin1'))) {
        this.upgrades += 1;
        if (this.#weather === 'no-upgrades') {
          client.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
          return;
        }
      }
      const upstream = connect(Number(port), host);
      const pair: [Socket, Socket] = [client, upstream];
      this.#pairs.add(pair);
      upstream.on('error', () => client.destroy());
      upstream.on('close', () => {
        this.#pairs.delete(pair);
        client.destroy();
      });
      client.on('close', () => upstream.destroy());
      upstream.write(first);
      client.pipe(upstream);
      upstream.pipe(client);
    });
  }
}
