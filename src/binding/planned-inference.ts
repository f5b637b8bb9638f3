/** The inference session that users of the addon see: the native one, with a short cut for repeated shapes. */
import { elementCount, type TypedArray } from '../core/dtype.js';
import type { NativeAbortFlag, NativeInferenceSession, NativeTensor, ValueDescription } from './addon.js';
import { pollIfAsked } from './poll.js';
import type { RawAddon, RawInferenceSession } from './raw-addon.js';

type Feeds = Parameters<NativeInferenceSession['run']>[0];
type Wanted = Parameters<NativeInferenceSession['run']>[1];

/** Shapes of a run that was seen, so that the next like it needs no questions asked. */
interface Plan {
  readonly slot: number;
  readonly inputDims: readonly (readonly number[])[];
  readonly outputs: readonly {
    readonly name: string;
    readonly dtype: NativeTensor['dtype'];
    readonly dims: readonly number[];
    readonly count: number;
    readonly array: new (length: number) => TypedArray;
  }[];
}

const MOST_PLANS = 32;
/** Bits in the mask of outputs that the caller owns. */
const MOST_OUTPUTS = 32;

export class PlannedInference implements NativeInferenceSession {
  readonly inputs: readonly ValueDescription[];
  readonly outputs: readonly ValueDescription[];
  readonly #addon: RawAddon;
  readonly #native: RawInferenceSession;
  /** Most recently used first. */
  readonly #plans: Plan[] = [];
  /** Outputs whose shape does not follow from the shapes of the inputs. */
  readonly #varying = new Set<string>();

  constructor(addon: RawAddon, native: RawInferenceSession) {
    this.#addon = addon;
    this.#native = native;
    this.inputs = native.inputs;
    this.outputs = native.outputs;
  }

  run(feeds: Feeds, outputs: Wanted, abort?: NativeAbortFlag, checkFinite = false): Promise<NativeTensor[]> {
    const plan = this.#find(feeds, outputs);
    if (plan !== undefined) {
      const promise = this.#runPrepared(plan, feeds, outputs, abort, checkFinite);
      if (promise !== undefined) {
        pollIfAsked(this.#addon);
        return promise;
      }
      this.#plans.splice(this.#plans.indexOf(plan), 1);
    }
    return this.#runFirst(feeds, outputs, abort, checkFinite, plan);
  }

  runOnDevice(
    ...request: Parameters<NativeInferenceSession['runOnDevice']>
  ): ReturnType<RawInferenceSession['runOnDevice']> {
    return this.#native.runOnDevice(...request);
  }

  endProfiling(): string {
    return this.#native.endProfiling();
  }

  close(): Promise<void> {
    return this.#native.close();
  }

  #find(feeds: Feeds, wanted: Wanted): Plan | undefined {
    for (let at = 0; at < this.#plans.length; at += 1) {
      const plan = this.#plans[at]!;
      if (!this.#matches(plan, feeds, wanted)) continue;
      if (at > 0) {
        this.#plans.splice(at, 1);
        this.#plans.unshift(plan);
      }
      return plan;
    }
    return undefined;
  }

  #matches(plan: Plan, feeds: Feeds, wanted: Wanted): boolean {
    if (wanted?.length !== plan.outputs.length) return false;
    for (let i = 0; i < plan.outputs.length; i += 1) {
      if (wanted[i]?.name !== plan.outputs[i]!.name) return false;
    }
    for (let i = 0; i < plan.inputDims.length; i += 1) {
      const dims = feeds?.[this.inputs[i]!.name]?.dims;
      if (dims === undefined || !sameDims(dims, plan.inputDims[i]!)) return false;
    }
    return true;
  }

  #runPrepared(
    plan: Plan,
    feeds: Feeds,
    wanted: Wanted,
    abort: NativeAbortFlag | undefined,
    checkFinite: boolean,
  ): Promise<NativeTensor[]> | undefined {
    const holder: (TypedArray | NativeTensor[])[] = [];
    const results: NativeTensor[] = [];
    let callerOwned = 0;
    for (const input of this.inputs) holder.push(feeds[input.name]!.data);
    for (let i = 0; i < plan.outputs.length; i += 1) {
      const output = plan.outputs[i]!;
      const { into, dims } = wanted[i]!;
      if (dims !== undefined && !sameDims(dims, output.dims)) return undefined;
      if (into !== undefined) callerOwned |= 1 << i;
      const data = into ?? new output.array(output.count);
      holder.push(data);
      results.push({ dtype: output.dtype, dims: output.dims, data });
    }
    holder.push(results);
    return this.#native.runPrepared(plan.slot, holder, callerOwned >>> 0, abort, checkFinite);
  }

  /** Runs with everything checked by native code, and learns the shapes. `failed` is a plan that did not fit. */
  async #runFirst(
    feeds: Feeds,
    wanted: Wanted,
    abort: NativeAbortFlag | undefined,
    checkFinite: boolean,
    failed: Plan | undefined,
  ): Promise<NativeTensor[]> {
    const results = await this.#native.run(feeds, wanted, abort, checkFinite);
    results.forEach((result, index) => {
      const name = wanted[index]!.name;
      const before = failed?.outputs.find((output) => output.name === name);
      if (before !== undefined && !sameDims(before.dims, result.dims)) this.#varying.add(name);
    });
    this.#learn(feeds, wanted, results);
    return results;
  }

  #learn(feeds: Feeds, wanted: Wanted, results: readonly NativeTensor[]): void {
    const names = wanted.map(({ name }) => name);
    const inputDims = this.inputs.map(({ name }) => [...feeds[name]!.dims]);
    const empty = [...inputDims, ...results.map(({ dims }) => dims)].some((dims) => elementCount(dims) === 0);
    if (empty || names.length > MOST_OUTPUTS || names.some((name) => this.#varying.has(name))) return;
    if (this.#find(feeds, wanted) !== undefined) return; // a run beside this one learned it
    const slot = this.#freeSlot();
    const outputs = results.map(({ dtype, dims, data }, index) => ({
      name: names[index]!,
      dtype,
      dims: Object.freeze([...dims]),
      count: elementCount(dims),
      array: data.constructor as new (length: number) => TypedArray,
    }));
    try {
      this.#native.prepare(
        slot,
        inputDims,
        names,
        outputs.map(({ dims }) => dims),
      );
    } catch {
      return; // closed meanwhile
    }
    this.#plans.unshift({ slot, inputDims, outputs });
  }

  #freeSlot(): number {
    if (this.#plans.length >= MOST_PLANS) return this.#plans.pop()!.slot;
    const used = new Set(this.#plans.map(({ slot }) => slot));
    let slot = 0;
    while (used.has(slot)) slot += 1;
    return slot;
  }
}

function sameDims(left: readonly number[], right: readonly number[]): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i += 1) if (left[i] !== right[i]) return false;
  return true;
}
