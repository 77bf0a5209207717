/**
 * Answers `/api/authz/auth-request` as Authelia 4.39 with its file or LDAP backend does. Source: internal/handlers/handler_authz*.go
 * of authelia/authelia, and the answers of a real one that was built from them. Its delay of two seconds for wrong passwords is left out.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

export interface AutheliaUser {
  password: string;
  /** What Authelia calls the user who logs in with this name. */
  name?: string;
  groups?: readonly string[];
  /** Whether a rule of its access_control denies the host to the user. */
  isDenied?: boolean;
}

export interface AutheliaQuestion {
  /** Who logs in. */
  login: string;
  password: string;
  url: string;
  method: string;
  /** The client, as the gateway names it. */
  address: string;
}

/** `silent` takes questions and answers none; `down` takes none. */
type Mood = "answers" | "silent" | "down";

export class Authelia {
  readonly questions: AutheliaQuestion[] = [];
  /** Of the rule for the host. */
  policy: "one_factor" | "two_factor" | "bypass" = "one_factor";
  private mood: Mood = "answers";
  private readonly server: Server;

  /**
   * @param host where it listens, and where the gateway reaches it
   * @param cookieDomain the domain that its sessions are for
   */
  constructor(
    private readonly host: string,
    private readonly port: number,
    readonly cookieDomain: string,
    readonly users: Record<string, AutheliaUser>,
  ) {
    this.server = createServer((request, response) => this.judge(request, response));
  }

  get url(): string {
    return `http://${this.host}:${this.port}`;
  }

  async start(): Promise<void> {
    this.server.listen(this.port, this.host);
    await once(this.server, "listening");
  }

  async become(mood: Mood): Promise<void> {
    if (mood === this.mood) return;
    if (mood === "down") await this.stop();
    if (this.mood === "down") await this.start();
    this.mood = mood;
  }

  async stop(): Promise<void> {
    if (!this.server.listening) return;
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** How often a login was asked about. */
  asked(login: string): number {
    return this.questions.filter((question) => question.login === login).length;
  }

  private judge({ headers, url, method }: IncomingMessage, response: ServerResponse): void {
    if (url !== "/api/authz/auth-request" || method !== "GET") {
      response.writeHead(404).end("404 Not Found");
      return;
    }
    const asked = (name: string): string => String(headers[name] ?? "");
    const target = URL.canParse(asked("x-original-url")) ? new URL(asked("x-original-url")) : undefined;
    const credential = /^Basic (\S+)$/i.exec(asked("authorization"))?.[1];
    const [login = "", ...rest] = Buffer.from(credential ?? "", "base64")
      .toString()
      .split(":");
    const password = rest.join(":");
    this.questions.push({
      login,
      password,
      url: asked("x-original-url"),
      method: asked("x-original-method"),
      address: asked("x-forwarded-for"),
    });
    if (this.mood === "silent") return;
    // The real one sets a cookie where nobody logs in, and this one always.
    response.setHeader("Set-Cookie", `authelia_session=abc; domain=${this.cookieDomain}; path=/`);
    const isOurs =
      target?.hostname === this.cookieDomain || target?.hostname.endsWith(`.${this.cookieDomain}`);
    if (target?.protocol !== "https:" || !isOurs || asked("x-original-method") === "") {
      response.writeHead(400).end("400 Bad Request");
      return;
    }
    const user = this.users[login]?.password === password ? this.users[login] : undefined;
    if (user === undefined || this.policy === "two_factor") {
      if (this.policy === "bypass") {
        response.end("200 OK");
        return;
      }
      response.setHeader("WWW-Authenticate", 'Basic realm="Authorization Required"');
      response.writeHead(401).end("401 Unauthorized");
      return;
    }
    if (user.isDenied) {
      response.writeHead(403).end("403 Forbidden");
      return;
    }
    response.setHeader("Remote-User", user.name ?? login);
    response.setHeader("Remote-Groups", (user.groups ?? []).join(","));
    response.setHeader("Remote-Name", "A Person");
    response.setHeader("Remote-Email", `${login}@${this.cookieDomain}`);
    response.end("200 OK");
  }
}
