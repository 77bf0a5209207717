import { execa } from "execa";
import { childEnvironment } from "../docker/childEnvironment.js";

/**
 * Gives a message to the host's sendmail. Its arguments hold no address: it reads them from the message.
 * Source: sendmail(8), -t and -oi.
 *
 * @param message headers, an empty line and the body
 * @returns why it was not taken; undefined where it was
 */
export async function sendMail(message: string, milliseconds: number): Promise<string | undefined> {
  // A timer's PATH may lack the folders of sendmail.
  const env = childEnvironment({ PATH: `${process.env.PATH}:/usr/sbin:/usr/lib` });
  const options = { input: message, env, extendEnv: false, reject: false, timeout: milliseconds } as const;
  const result = await execa("sendmail", ["-t", "-oi"], options);
  if (result.code === "ENOENT") return "this machine has no sendmail";
  return result.failed ? result.stderr.trim().split("\n")[0] || "sendmail failed" : undefined;
}
