/**
 * The end of a backup: an empty gzip member of fixed length, so that every gunzip reads over it, whose extra field says where
 * the index is. Source: RFC 1952; the idea is that of eStargz (containerd/stargz-snapshotter, docs/estargz.md).
 */

/** Where the index member is, in bytes from the file's beginning. */
export interface Place {
  offset: number;
  length: number;
}

const MAGIC = "HEPHAESTUS";
const FIELD = "HP";
/** Two numbers of 16 hexadecimal digits, then the magic. */
const PAYLOAD = 16 + 16 + MAGIC.length;
/** Header, length of the extra fields, head of the one field, the field, an empty deflate block, checksum and size. */
export const FOOTER_LENGTH = 10 + 2 + 4 + PAYLOAD + 5 + 8;

/** How it begins: deflate without compression, no time, extra field, unknown system. */
export const FOOTER_START = Buffer.from([0x1f, 0x8b, 8, 0x04, 0, 0, 0, 0, 0, 0xff]);
const EMPTY_BLOCK = Buffer.from([1, 0, 0, 0xff, 0xff]);

export function footer({ offset, length }: Place): Buffer {
  const lengths = Buffer.alloc(2 + 4);
  lengths.writeUInt16LE(4 + PAYLOAD, 0);
  lengths.write(FIELD, 2, "latin1");
  lengths.writeUInt16LE(PAYLOAD, 4);
  const payload = Buffer.from(`${digits(offset)}${digits(length)}${MAGIC}`, "latin1");
  return Buffer.concat([FOOTER_START, lengths, payload, EMPTY_BLOCK, Buffer.alloc(8)]);
}

/** @returns undefined where the bytes are no footer, down to the last bit */
export function parseFooter(bytes: Buffer): Place | undefined {
  const text = bytes.subarray(16, 16 + PAYLOAD).toString("latin1");
  const [, offset, length] = /^([0-9a-f]{16})([0-9a-f]{16})HEPHAESTUS$/.exec(text) ?? [];
  if (offset === undefined || length === undefined) return undefined;
  const place = { offset: Number.parseInt(offset, 16), length: Number.parseInt(length, 16) };
  return Number.isSafeInteger(place.offset) && footer(place).equals(bytes) ? place : undefined;
}

const digits = (value: number): string => value.toString(16).padStart(16, "0");
