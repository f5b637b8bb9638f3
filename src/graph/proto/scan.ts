/**
 * A look over the bytes of a message before they are parsed. The parser makes objects as it goes, so
 * a small file could ask for a great deal of memory or a deep recursion; this walk makes none, takes
 * linear time, and refuses such files, and truncated ones, with the place of the damage.
 */
import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { VaeError } from '../../core/errors.js';

/** Messages within messages. A graph in an attribute of a node of a graph takes three. */
const MAX_DEPTH = 100;
/** What the parsed form may take in the JavaScript heap, by the estimates below. */
const MAX_HEAP_BYTES = 2 ** 30;
const MESSAGE_COST = 400;
const TEXT_COST = 64;
const BIGINT_COST = 40;
const NUMBER_COST = 16;

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

interface FieldPlan {
  readonly wire: number;
  readonly message: MessagePlan | undefined;
  readonly cost: number;
  /** Numbers that may come packed into one run of bytes. */
  readonly packable: boolean;
}
interface MessagePlan {
  readonly name: string;
  readonly fields: Map<number, FieldPlan>;
}

const plans = new Map<DescMessage, MessagePlan>();

/** Checks that `bytes` hold one well-formed message of this kind. `what` names the file for errors. */
export function scanMessage(descriptor: DescMessage, bytes: Uint8Array, what: string): void {
  const reader = new Scanner(bytes, what);
  // Two parallel stacks: where each open message ends, and what it is.
  const ends = [bytes.length];
  const open = [planOf(descriptor)];
  while (ends.length > 0) {
    const end = ends[ends.length - 1]!;
    if (reader.at === end) {
      ends.pop();
      open.pop();
      continue;
    }
    const plan = open[open.length - 1]!;
    const tag = reader.varint(end);
    const number = Math.floor(tag / 8);
    const wire = tag % 8;
    if (number < 1 || number > 0x1fffffff) reader.fail(`holds field number ${number} in ${plan.name}`);
    const field = plan.fields.get(number);
    if (field === undefined) {
      reader.skip(wire, end);
      continue;
    }
    if (wire === LENGTH && field.wire !== LENGTH) {
      if (!field.packable) reader.fail(`holds field ${number} of ${plan.name} in the wrong encoding`);
      reader.packed(field, end);
      continue;
    }
    if (wire !== field.wire) reader.fail(`holds field ${number} of ${plan.name} in the wrong encoding`);
    reader.spend(field.cost);
    if (field.message === undefined) {
      reader.skip(wire, end);
      continue;
    }
    const length = reader.varint(end);
    if (length > end - reader.at) reader.fail(`ends inside ${field.message.name}; the file is truncated`);
    if (ends.length >= MAX_DEPTH) reader.fail(`nests messages more than ${MAX_DEPTH} deep`);
    ends.push(reader.at + length);
    open.push(field.message);
  }
}

class Scanner {
  at = 0;
  #budget = MAX_HEAP_BYTES;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly what: string,
  ) {}

  varint(end: number): number {
    let value = 0;
    let factor = 1;
    for (let count = 0; count < 10; count += 1) {
      if (this.at >= end) this.fail('ends inside a number; the file is truncated');
      const byte = this.bytes[this.at]!;
      this.at += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
    return this.fail('holds a number of more than ten bytes');
  }

  skip(wire: number, end: number): void {
    if (wire === VARINT) {
      this.varint(end);
      return;
    }
    const length = wire === FIXED64 ? 8 : wire === FIXED32 ? 4 : wire === LENGTH ? this.varint(end) : -1;
    if (length < 0) this.fail(`holds a field of wire type ${wire}`);
    if (length > end - this.at) this.fail('ends inside a field; the file is truncated');
    this.at += length;
  }

  packed(field: FieldPlan, end: number): void {
    const length = this.varint(end);
    if (length > end - this.at) this.fail('ends inside a list of numbers; the file is truncated');
    const stop = this.at + length;
    if (field.wire === VARINT) {
      while (this.at < stop) {
        this.varint(stop);
        this.spend(field.cost);
      }
      return;
    }
    const width = field.wire === FIXED64 ? 8 : 4;
    if (length % width !== 0) this.fail('holds a list of numbers that ends inside one');
    this.spend((length / width) * field.cost);
    this.at = stop;
  }

  spend(cost: number): void {
    this.#budget -= cost;
    if (this.#budget < 0) {
      this.fail(
        'holds more parts than fit into memory when parsed. Large tensors belong into raw_data or external data: ' +
          'save the model again with onnx.save(model, path, save_as_external_data=True)',
      );
    }
  }

  fail(reason: string): never {
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `${this.what} is not a valid ONNX file: it ${reason} (byte ${this.at} of ${this.bytes.length}).`,
    );
  }
}

function planOf(descriptor: DescMessage): MessagePlan {
  const known = plans.get(descriptor);
  if (known !== undefined) return known;
  const plan: MessagePlan = { name: descriptor.name, fields: new Map() };
  plans.set(descriptor, plan);
  for (const field of descriptor.fields) plan.fields.set(field.number, planField(field));
  return plan;
}

function planField(field: DescField): FieldPlan {
  if (field.message !== undefined) {
    return { wire: LENGTH, message: planOf(field.message), cost: MESSAGE_COST, packable: false };
  }
  const packable = field.fieldKind === 'list';
  switch (field.scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return { wire: LENGTH, message: undefined, cost: TEXT_COST, packable: false };
    case ScalarType.FLOAT:
      return { wire: FIXED32, message: undefined, cost: NUMBER_COST, packable };
    case ScalarType.DOUBLE:
      return { wire: FIXED64, message: undefined, cost: NUMBER_COST, packable };
    case ScalarType.INT64:
    case ScalarType.UINT64:
      return { wire: VARINT, message: undefined, cost: BIGINT_COST, packable };
    default:
      return { wire: VARINT, message: undefined, cost: NUMBER_COST, packable };
  }
}
