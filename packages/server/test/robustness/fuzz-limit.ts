/** How long so many generated requests may take, on a machine with other work: the nightly run sends fifty times as many. */
export function fuzzLimitMs(requests: number): number {
  return 600_000 + requests * 60;
}
