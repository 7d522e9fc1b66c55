/**
 * Azure's wildcards for actions. A pattern is compared with a whole action, without regard to case; `*` stands for any
 * characters, slashes included. A star between two slashes may also stand for no segment at all: `a`, a star and `b` with
 * slashes between cover `a/b`. *Azure: the published role examples hold only that way.*
 *
 * The matcher walks the action once and keeps the set of places in the pattern where it could be, so that its cost is
 * bounded by the product of the two lengths, whatever a custom role may contain.
 */
export function matchesAction(pattern: string, action: string): boolean {
  // A row of such stars says no more than one of them, and one is what a single step over it can leave out.
  const wanted = pattern.toLowerCase().replace(/\/(?:\*\/)+/g, '/*/');
  const given = action.toLowerCase();
  let places = new Uint8Array(wanted.length + 1);
  let next = new Uint8Array(wanted.length + 1);
  places[0] = 1;
  for (let read = 0; read <= given.length; read += 1) {
    next.fill(0);
    for (let place = 0; place < wanted.length; place += 1) {
      if (places[place] === 0) continue;
      if (wanted[place] === '*') {
        places[place + 1] = 1;
        next[place] = 1;
      } else if (wanted[place] === given[read]) {
        next[place + 1] = 1;
        if (wanted[place] === '/' && wanted.startsWith('*/', place + 1)) next[place + 3] = 1;
      }
    }
    if (read < given.length) [places, next] = [next, places];
  }
  return places[wanted.length] === 1;
}
