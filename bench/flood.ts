import { rate } from "../test/e2e/load.js";

/**
 * Guesses passwords from several addresses, in a process of its own: the requests that are measured have theirs for themselves.
 * Arguments: the URL, the user, seconds, milliseconds between two guesses of an address, and the addresses.
 */
const [url = "", user = "", seconds = "", pause = "", ...addresses] = process.argv.slice(2);

let guess = 0;
const wrong = () => ({
  authorization: `Basic ${Buffer.from(`${user}:${process.pid}-${guess++}`).toString("base64")}`,
});
const limits = { connections: 1, seconds: Number(seconds), pause: Number(pause), wanted: [401, 429] };
const rates = await Promise.all(
  addresses.map((localAddress) => rate(url, wrong, { ...limits, localAddress })),
);
const failed = rates.reduce((sum, each) => sum + each.failed, 0);
process.stdout.write(`${JSON.stringify({ guesses: guess, failed })}\n`);
