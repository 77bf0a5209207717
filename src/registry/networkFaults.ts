/**
 * Why there was no answer.
 *
 * @param error what fetch threw
 * @returns the fault in words, and Node's code for it
 */
export function networkFault(error: unknown): { fault: string; code: string } {
  const cause = (error as { cause?: { code?: string; message?: string } }).cause;
  const code = cause?.code ?? (error as Error).name;
  const fault = WORDS[code] ?? `no answer (${code}: ${cause?.message ?? (error as Error).message})`;
  return { fault, code };
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
