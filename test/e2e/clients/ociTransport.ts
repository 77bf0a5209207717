/** Requests as the distribution specification has them: challenge, token, request. */

export interface Sending {
  headers?: Record<string, string>;
  body?: Buffer | string;
}

export interface Answer {
  status: number;
  headers: Headers;
  body: Buffer;
}

interface Token {
  text: string;
  /** When it is too old, in milliseconds. */
  end: number;
}

export class OciTransport {
  private readonly tokens = new Map<string, Token>();

  /** @param credentials `user:password` */
  constructor(
    protected readonly url: string,
    private readonly credentials?: string,
  ) {}

  /** One request as the specification has it: without a token, then with the one that the challenge asks for. */
  protected async send(
    method: string,
    path: string,
    expected: number[],
    sending: Sending = {},
  ): Promise<Answer> {
    const repository = /^\/v2\/(.+)\/(?:manifests|blobs|tags|referrers)\//.exec(path)?.[1];
    // The state of an upload belongs to whoever pushes.
    const reads = /^(?:GET|HEAD)$/.test(method) && !path.includes("/blobs/uploads/");
    const actions = reads ? "pull" : method === "DELETE" ? "delete" : "pull,push";
    const scope = repository
      ? `repository:${repository}:${actions}`
      : path.startsWith("/v2/_catalog")
        ? "registry:catalog:*"
        : "";
    const known = this.tokens.get(scope);
    let token = known !== undefined && Date.now() < known.end ? known : undefined;
    let answer = await this.once(method, path, sending, token);
    if (answer.status === 401 && token === undefined) {
      token = await this.token(answer, scope);
      this.tokens.set(scope, token);
      answer = await this.once(method, path, sending, token);
    }
    if (!expected.includes(answer.status)) throw refusal(`${method} ${path}`, answer);
    return answer;
  }

  /** Has a token before the first request: for the challenge of `GET /v2/`. */
  protected async authorize(scope: string): Promise<void> {
    this.tokens.set(scope, await this.token(await this.once("GET", "/v2/", {}), scope));
  }

  private async once(method: string, path: string, sending: Sending, token?: Token): Promise<Answer> {
    const headers = {
      ...sending.headers,
      ...(token === undefined ? {} : { authorization: `Bearer ${token.text}` }),
    };
    const init: RequestInit = { method, headers, redirect: "manual" };
    if (sending.body !== undefined) init.body = sending.body as Uint8Array<ArrayBuffer>;
    const response = await fetch(this.url + path, { ...init, signal: AbortSignal.timeout(60_000) });
    const body = Buffer.from(await response.arrayBuffer());
    return { status: response.status, headers: response.headers, body };
  }

  private async token(challenged: Answer, scope: string): Promise<Token> {
    const challenge = challenged.headers.get("www-authenticate") ?? "";
    const { realm, service } =
      /^Bearer realm="(?<realm>[^"]+)",service="(?<service>[^"]+)"$/.exec(challenge)?.groups ?? {};
    if (realm === undefined || service === undefined) throw new Error(`no Bearer challenge: ${challenge}`);
    const basic = Buffer.from(this.credentials ?? "").toString("base64");
    const query = new URLSearchParams(scope ? { service, scope } : { service });
    const headers: Record<string, string> = this.credentials ? { authorization: `Basic ${basic}` } : {};
    const response = await fetch(`${realm}?${query}`, { headers, signal: AbortSignal.timeout(10_000) });
    const answer = {
      status: response.status,
      headers: response.headers,
      body: Buffer.from(await response.arrayBuffer()),
    };
    if (response.status !== 200) throw refusal("GET token", answer);
    const given = JSON.parse(String(answer.body)) as { token: string; expires_in: number };
    return { text: given.token, end: Date.now() + given.expires_in * 1000 };
  }
}

/** Errors have the form of the specification, too. */
function refusal(what: string, { status, body }: Answer): Error {
  const errors =
    body.length > 0
      ? (JSON.parse(String(body)) as { errors: { code: string; message: string }[] }).errors
      : [];
  return new Error(
    [`${what} was answered ${status}`, ...errors.map((e) => `${e.code}: ${e.message}`)].join(", "),
  );
}
