/** The databases on which the bench can run a server of ours. */
export const engines = ['sqlite', 'postgres'] as const;
export type Engine = (typeof engines)[number];
