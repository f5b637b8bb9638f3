/** Answers that a component waits for: the newest question counts, and no more than one is under way. */
import { useEffect, useRef, useState } from 'preact/hooks';

let onFailure = (_error: Error): void => {};

/** Who is told of questions that fail. */
export function tellFailures(tell: (error: Error) => void): void {
  onFailure = tell;
}

/**
 * The answer of the newest question whose key changed; until it is there, that of the one before.
 *
 * While one is under way, only the latest of those that came meanwhile is kept: a drag asks as quickly as it is answered.
 */
export function useAsked<T>(key: string, ask: () => Promise<T> | undefined): T | undefined {
  const [answer, setAnswer] = useState<T | undefined>(undefined);
  const state = useRef({ busy: false, next: undefined as (() => Promise<T> | undefined) | undefined, alive: true });
  useEffect(() => {
    const { current } = state;
    current.alive = true;
    return () => {
      current.alive = false;
    };
  }, []);
  useEffect(() => {
    const { current } = state;
    current.next = ask;
    const run = async (): Promise<void> => {
      if (current.busy) return;
      current.busy = true;
      while (current.next && current.alive) {
        const question = current.next;
        current.next = undefined;
        try {
          const value = await question();
          if (current.alive) setAnswer(() => value);
        } catch (error) {
          onFailure(error as Error);
        }
      }
      current.busy = false;
    };
    void run();
  }, [key]);
  return answer;
}
