/** The value of an Authorization header. Source: RFC 7617. */
export const basicValue = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
