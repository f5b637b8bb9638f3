/** Listening to an AbortSignal that many calls share. */

const listeners = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `act` once when the signal fires. However many calls listen to one signal, it has one listener of ours: Node
 * warns of a leak where there are more than ten.
 *
 * @returns takes it back.
 */
export function onceAborted(signal: AbortSignal, act: () => void): () => void {
  const acts = listeners.get(signal) ?? listen(signal);
  // Two calls may give the same function.
  const own = () => act();
  acts.add(own);
  return () => {
    if (!acts.delete(own) || acts.size > 0 || listeners.get(signal) !== acts) return;
    signal.removeEventListener('abort', tell);
    listeners.delete(signal);
  };
}

function listen(signal: AbortSignal): Set<() => void> {
  const acts = new Set<() => void>();
  listeners.set(signal, acts);
  signal.addEventListener('abort', tell, { once: true });
  return acts;
}

function tell(this: AbortSignal): void {
  const acts = listeners.get(this);
  listeners.delete(this);
  for (const act of acts ?? []) act();
}
