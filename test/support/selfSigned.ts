import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

/** A certificate as a test needs it, made here: with openssl its dates could not be chosen. */
export interface SelfSigned {
  /** PEM. */
  key: string;
  cert: string;
}

/** ASN.1's types that stand in a certificate. */
const TAG = {
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  time: 0x18,
  seq: 0x30,
  set: 0x31,
};

const DNS_NAME = 0x82;
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;

/** DER: tag, length, content. */
function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const bytes: number[] = [];
  for (let rest = content.length; rest > 0; rest >>= 8) bytes.unshift(rest & 255);
  const length = content.length < 128 ? [content.length] : [128 + bytes.length, ...bytes];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = rest.flatMap((part) => {
    const groups = [part & 127];
    for (let left = part >> 7; left > 0; left >>= 7) groups.unshift(128 + (left & 127));
    return groups;
  });
  return der(TAG.oid, Buffer.from([first * 40 + second, ...bytes]));
}

const time = (date: Date): Buffer =>
  der(TAG.time, Buffer.from(`${date.toISOString().replace(/[-T:]|\.\d+/g, "")}`));

/**
 * A self-signed certificate (X.509 v3, RFC 5280) with a P-256 key.
 *
 * @param hosts its DNS names; the first is its subject
 */
export function selfSigned(hosts: readonly string[], from: Date, until: Date): SelfSigned {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = der(TAG.seq, oid("1.2.840.10045.4.3.2"));
  const name = der(
    TAG.seq,
    der(TAG.set, der(TAG.seq, oid("2.5.4.3"), der(TAG.utf8, Buffer.from(hosts[0] ?? "")))),
  );
  const names = der(TAG.octets, der(TAG.seq, ...hosts.map((host) => der(DNS_NAME, Buffer.from(host)))));
  const body = der(
    TAG.seq,
    der(VERSION, der(TAG.integer, Buffer.from([2]))),
    der(TAG.integer, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    name,
    der(TAG.seq, time(from), time(until)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(EXTENSIONS, der(TAG.seq, der(TAG.seq, oid("2.5.29.17"), names))),
  );
  const signature = der(TAG.bits, Buffer.concat([Buffer.from([0]), sign("sha256", body, privateKey)]));
  const base64 = der(TAG.seq, body, algorithm, signature).toString("base64");
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{1,64}/g, "$&\n")}-----END CERTIFICATE-----\n`,
  };
}
