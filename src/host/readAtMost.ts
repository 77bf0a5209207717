/** Content from outside that is longer than anything true. */
export class TooLarge extends Error {}

/**
 * All of a stream at once.
 *
 * @param most bytes that it may have
 * @throws TooLarge where it has more; the rest is not read
 */
export async function readAtMost(content: AsyncIterable<Uint8Array>, most: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of content) {
    length += chunk.length;
    if (length > most) throw new TooLarge(`has more than ${most} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
