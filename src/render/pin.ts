/**
 * A compose file that we rendered, with other images in it.
 *
 * @param compose text of docker-compose.yml as render writes it
 * @param images image references by service
 */
export function withImages(compose: string, images: Readonly<Record<string, string>>): string {
  let text = compose;
  for (const [service, image] of Object.entries(images)) {
    const place = new RegExp(`^(  ${service}:\\n(?:    .*\\n)*?    image: )[^\\n]*$`, "m");
    text = text.replace(place, (_, before: string) => `${before}${image}`);
  }
  return text;
}
