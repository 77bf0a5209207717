import { lookup } from "node:dns/promises";

/** Whether a host name stands for an address, as this machine looks it up. */
export interface Lookup {
  host: string;
  /** Node's code for why it has none: ENOTFOUND, EAI_AGAIN, …; undefined if it has one. */
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
    await Promise.race([lookup(host), tooLate]);
    return { host, code: undefined };
  } catch (error) {
    return { host, code: (error as NodeJS.ErrnoException).code ?? String(error) };
  } finally {
    clearTimeout(timer);
  }
}
