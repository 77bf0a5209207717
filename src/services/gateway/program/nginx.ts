/** What the program uses of nginx's JavaScript. Source: nginx.org, "njs reference". */

export interface Reply {
  status: number;
  responseText?: string | undefined;
  headersOut: Readonly<Record<string, string | undefined>>;
}

export interface NginxRequest {
  readonly method: string;
  /** The path as nginx understood it. What was sent is the variable `request_uri`. */
  readonly uri: string;
  readonly headersIn: Readonly<Record<string, string | undefined>>;
  readonly headersOut: Record<string, string>;
  readonly variables: Record<string, string | undefined>;
  subrequest(place: string, options: { method: string; args?: string }): Promise<Reply>;
  internalRedirect(place: string): void;
  return(status: number, body?: string): void;
  status: number;
  sendHeader(): void;
  finish(): void;
  error(message: string): void;
  /** Below what nginx.conf keeps: `error_log … warn`. */
  log(message: string): void;
}

/** Memory that all workers share. Times are in milliseconds. */
export interface Memory<Value> {
  get(key: string): Value | undefined;
  set(key: string, value: Value, timeout: number): unknown;
  /** @returns whether the key was not there */
  add(key: string, value: Value, timeout: number): boolean;
  delete(key: string): boolean;
}

export interface Counts {
  get(key: string): number | undefined;
  incr(key: string, by: number, from: number, timeout: number): number;
}
