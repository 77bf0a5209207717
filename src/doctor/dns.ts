import { lookup } from "node:dns/promises";

/** What a host name stands for, as this machine looks it up. */
export interface Lookup {
  host: string;
  addresses: string[];
  /** Node's code for why it has none: ENOTFOUND, EAI_AGAIN, …; undefined where it has some. */
  code: string | undefined;
}

const LOOKUP_SECONDS = 5;

/** Looks a host up, the way that every program on this machine would. */
export async function lookUp(host: string): Promise<Lookup> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject({ code: "ETIMEOUT" }), LOOKUP_SECONDS * 1000);
  });
  try {
    const found = await Promise.race([lookup(host, { all: true }), tooLate]);
    return { host, addresses: found.map(({ address }) => address).sort(), code: undefined };
  } catch (error) {
    return { host, addresses: [], code: (error as NodeJS.ErrnoException).code ?? String(error) };
  } finally {
    clearTimeout(timer);
  }
}
