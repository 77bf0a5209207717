import { checkServerIdentity, connect } from "node:tls";

/** What a host shows of itself. */
export interface Certificate {
  from: Date;
  until: Date;
  /** Whose it is and who signed it, by their common names. */
  subject: string;
  issuer: string;
  /** Why it does not fit the host's name, undefined where it does. */
  nameFault: string | undefined;
  /**
   * OpenSSL's code for why it is not trusted here (DEPTH_ZERO_SELF_SIGNED_CERT, …), undefined where it is.
   */
  trustFault: string | undefined;
}

/** Faults that have a field of their own. */
const OTHER_FAULTS = new Set(["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID", "ERR_TLS_CERT_ALTNAME_INVALID"]);

/**
 * The certificate that a host shows, trusted here or not.
 *
 * @param url an https address
 * @param address where to connect to instead of the name
 * @returns undefined where there is none to be had within 5 seconds
 */
export function readCertificate(url: string, address?: string): Promise<Certificate | undefined> {
  const { hostname, port, protocol } = new URL(url);
  if (protocol !== "https:") return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const socket = connect({
      host: address ?? hostname,
      port: Number(port || 443),
      servername: hostname,
      // It is judged here, and nothing is sent.
      rejectUnauthorized: false,
      timeout: 5000,
    });
    const finish = (certificate?: Certificate) => {
      socket.destroy();
      resolve(certificate);
    };
    socket.on("secureConnect", () => {
      const shown = socket.getPeerCertificate();
      const until = new Date(shown.valid_to ?? "");
      if (Number.isNaN(until.getTime())) return finish();
      const fault = socket.authorizationError as Error | string | null | undefined;
      const code = typeof fault === "string" ? fault : fault?.message;
      finish({
        from: new Date(shown.valid_from),
        until,
        subject: nameOf(shown.subject),
        issuer: nameOf(shown.issuer),
        nameFault: checkServerIdentity(hostname, shown)?.message,
        trustFault: code === undefined || OTHER_FAULTS.has(code) ? undefined : code,
      });
    });
    socket.on("timeout", () => finish());
    socket.on("error", () => finish());
  });
}

const nameOf = ({ CN, O }: { CN?: string | string[]; O?: string | string[] }): string =>
  [CN ?? O ?? "nobody"].flat().join(" ");
