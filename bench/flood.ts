import { rate } from "../test/e2e/load.js";

/**
 * Guesses passwords from several addresses, in a process of its own, so that it takes nothing from the client that is measured.
 * Arguments: the URL, the user, seconds, milliseconds between two guesses of an address, and the addresses. Without a user the
 * requests have no credential: that is what the requests alone cost.
 */
const [url = "", user = "", seconds = "", pause = "", ...addresses] = process.argv.slice(2);

let sent = 0;
const headers = () => {
  sent++;
  const guess = Buffer.from(`${user}:${process.pid}-${sent}`).toString("base64");
  return user === "" ? {} : { authorization: `Basic ${guess}` };
};
const limits = {
  connections: 1,
  seconds: Number(seconds),
  pause: Number(pause),
  wanted: user === "" ? [200] : [401, 429],
};
const rates = await Promise.all(
  addresses.map((localAddress) => rate(url, headers, { ...limits, localAddress })),
);
const failed = rates.reduce((sum, each) => sum + each.failed, 0);
process.stdout.write(`${JSON.stringify({ guesses: sent, failed })}\n`);
