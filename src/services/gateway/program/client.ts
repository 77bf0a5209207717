/** The address of a client; behind a proxy that is trusted, the last one that the proxy before it names. */
export function clientAddress(remote: string, isProxy: boolean, forwarded: string | undefined): string {
  if (!isProxy || forwarded === undefined) return remote;
  const before = forwarded.split(",").slice(0, -1).at(-1)?.trim().split(" ").at(-1);
  // Without the port that some proxies add.
  const [, ipv4, bracketed, ipv6] =
    /^(?:(\d+(?:\.\d+){3})(?::\d+)?|\[([0-9a-f:.]*:[0-9a-f:.]*)\](?::\d+)?|([0-9a-f:.]*:[0-9a-f:.]*))$/i.exec(
      before ?? "",
    ) ?? [];
  return ipv4 ?? bracketed ?? ipv6 ?? remote;
}

/**
 * The network that an address counts for: an IPv6 network of 64 bits belongs to one customer, who has all of
 * its addresses.
 */
export function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const mapped = /^::ffff:([0-9.]+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = "", tail] = address.split("::");
  const groups = head === "" ? [] : head.split(":");
  const rest = tail === undefined || tail === "" ? [] : tail.split(":");
  while (groups.length + rest.length < 8) groups.push("0");
  return [...groups, ...rest]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
