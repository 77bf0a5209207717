import { connect } from "node:tls";

/**
 * When the certificate that a host shows ends to be valid, trusted here or not.
 *
 * @param url an https address
 * @returns undefined where there is none to be had within 5 seconds
 */
export function certificateExpiry(url: string): Promise<Date | undefined> {
  const { hostname, port, protocol } = new URL(url);
  if (protocol !== "https:") return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const socket = connect({
      host: hostname,
      port: Number(port || 443),
      servername: hostname,
      // Only its date is read; whether it is trusted, the questions at the front door tell.
      rejectUnauthorized: false,
      timeout: 5000,
    });
    const finish = (date: Date | undefined) => {
      socket.destroy();
      resolve(date);
    };
    socket.on("secureConnect", () => {
      const date = new Date(socket.getPeerCertificate().valid_to ?? "");
      finish(Number.isNaN(date.getTime()) ? undefined : date);
    });
    socket.on("timeout", () => finish(undefined));
    socket.on("error", () => finish(undefined));
  });
}
