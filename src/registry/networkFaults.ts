/** What fetch threw, with the address that gave no answer. */
export class NoAnswer extends Error {
  /** @param url what was asked for */
  constructor(url: string, cause: unknown) {
    super(`${new URL(url).origin}: `, { cause });
  }
}

/**
 * Why there was no answer.
 *
 * @param error a NoAnswer, or what the body of an answer threw
 * @returns the fault in words, and Node's code for it
 */
export function networkFault(error: unknown): { fault: string; code: string } {
  const [address, thrown] = error instanceof NoAnswer ? [error.message, error.cause] : ["", error];
  const { cause, name, message } = thrown as Error & { cause?: { code?: string; message?: string } };
  const code = cause?.code ?? name;
  return { fault: `${address}${WORDS[code] ?? `no answer (${code}: ${cause?.message ?? message})`}`, code };
}

const UNTRUSTED =
  "its certificate is not trusted here: wait until Traefik (or what ends TLS before it) has one, or set NODE_EXTRA_CA_CERTS";

const WORDS: Record<string, string> = {
  ENOTFOUND: "its name does not resolve: add a DNS record that points at Traefik",
  EAI_AGAIN: "its name cannot be looked up now: check this machine's DNS",
  ECONNREFUSED: "nothing listens there: is Traefik up, and does the name point at it?",
  TimeoutError: "no answer within 15 seconds",
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
};
