/**
 * Questions to other processes: each has a number, under which its answer comes back. What is not there in time, or can
 * not come any more, is answered by `undefined`.
 */
export interface Questions<Answer> {
  /** Hands a number to `send`; resolves with what is given for it. */
  ask(send: (question: number) => void): Promise<Answer | undefined>;
  answer(question: number, answer: Answer | undefined): void;
  /** There will be no more answers. */
  giveUp(): void;
}

export function createQuestions<Answer>(limitMs: number): Questions<Answer> {
  const waiting = new Map<number, (answer: Answer | undefined) => void>();
  let count = 0;

  function answer(question: number, given: Answer | undefined): void {
    waiting.get(question)?.(given);
    waiting.delete(question);
  }

  return {
    ask(send) {
      const question = (count += 1);
      const { promise, resolve } = Promise.withResolvers<Answer | undefined>();
      const timer = setTimeout(() => answer(question, undefined), limitMs);
      waiting.set(question, (given) => {
        clearTimeout(timer);
        resolve(given);
      });
      send(question);
      return promise;
    },
    answer,
    giveUp() {
      for (const question of [...waiting.keys()]) answer(question, undefined);
    },
  };
}
