import type { IncomingMessage } from 'node:http';

/** What a caller may choose as the id of its request: it comes back in a header and stands in the log. */
const chosenId = /^[\w.:~+/=@-]{1,128}$/;

/** Gives each request an id: the one that it brings along, or the next number. */
export function createRequestIds(): (request: IncomingMessage) => string {
  let requests = 0;
  return ({ headers }) => {
    const given = headers['x-request-id'];
    if (typeof given === 'string' && chosenId.test(given)) return given;
    return `req-${(++requests).toString(36)}`;
  };
}
