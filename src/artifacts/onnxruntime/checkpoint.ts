/** The file `checkpoint` of ONNX Runtime's training API: parameters, moments and properties, as flatbuffers. */
import { BYTES_PER_ELEMENT, type DataType, elementCount } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import { printable } from '../../graph/external-data.js';
import { dataTypeOf, describeDataType } from '../../graph/proto/data-types.js';
import { CHECKPOINT_VERSION, FIELDS, IDENTIFIER } from './fields.js';
import { type Table, TableFile } from './table.js';

export interface OrtTensor {
  readonly name: string;
  readonly dtype: Exclude<DataType, 'string'>;
  readonly dims: readonly number[];
  /** Little-endian, borrowed from the file. Empty in a nominal checkpoint. */
  readonly data: Uint8Array;
}

export interface OrtParameterState {
  readonly parameter: string;
  /** `momentum0`, and `momentum1` of AdamW. */
  readonly moments: readonly OrtTensor[];
}

export interface OrtOptimizerGroup {
  readonly name: string;
  readonly step: number;
  readonly initialLearningRate: number;
  readonly states: readonly OrtParameterState[];
}

export type OrtProperty = { readonly name: string } & (
  | { readonly kind: 'int' | 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
);

export interface OrtCheckpoint {
  readonly trainable: readonly OrtTensor[];
  readonly frozen: readonly OrtTensor[];
  /** Holds names and types, no values. */
  readonly nominal: boolean;
  readonly groups: readonly OrtOptimizerGroup[];
  readonly properties: readonly OrtProperty[];
}

/** Whether these are the first bytes of such a file. */
export function isOrtCheckpoint(bytes: Uint8Array): boolean {
  return bytes.byteLength >= 8 && Buffer.from(bytes.subarray(4, 8)).toString('latin1') === IDENTIFIER;
}

/**
 * @param external the bytes of CHECKPOINT.data, for a checkpoint that keeps its tensors there.
 * @throws VaeError ERR_VAE_FORMAT where the file is damaged, of another version or of other types.
 */
export function decodeOrtCheckpoint(bytes: Uint8Array, what: string, external?: Uint8Array): OrtCheckpoint {
  if (!isOrtCheckpoint(bytes)) {
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `${what} is not a training checkpoint of ONNX Runtime: "${IDENTIFIER}" should stand at byte 4.`,
    );
  }
  const file = new TableFile(bytes, what);
  const root = file.root();
  const version = root.int(FIELDS.Checkpoint.version);
  if (version !== CHECKPOINT_VERSION) {
    file.fail(
      `it is a training checkpoint of version ${version}, and version ${CHECKPOINT_VERSION} is read, which ONNX Runtime ` +
        '1.17 to 1.19 write; save it again with one of these',
    );
  }
  const reader = new CheckpointReader(file, external);
  const module = root.table(FIELDS.Checkpoint.module_state, 'ModuleState');
  if (module === undefined) return file.fail('it holds no parameters');
  const nominal = module.bool(FIELDS.ModuleState.is_nominal_state);
  reader.nominal = nominal;
  reader.external &&= module.bool(FIELDS.ModuleState.has_external_data) ? reader.external : undefined;
  const trainable = reader.tensors(module, FIELDS.ModuleState.requires_grad_params);
  const frozen = reader.tensors(module, FIELDS.ModuleState.frozen_params);
  reader.refuseTwice([...trainable, ...frozen]);
  reader.nominal = false;
  return {
    trainable,
    frozen,
    nominal,
    groups: root.tables(FIELDS.Checkpoint.optimizer_groups, 'OptimizerGroup').map((group) => reader.group(group)),
    properties: reader.properties(root.table(FIELDS.Checkpoint.property_bag, 'PropertyBag')),
  };
}

class CheckpointReader {
  nominal = false;

  constructor(
    private readonly file: TableFile,
    public external: Uint8Array | undefined,
  ) {}

  tensors(owner: Table, field: number): OrtTensor[] {
    return owner.tables(field, 'Tensor').map((table) => this.tensor(table));
  }

  tensor(table: Table): OrtTensor {
    const name = table.text(FIELDS.Tensor.name);
    const place = `tensor "${printable(name)}"`;
    if (name === '') this.file.fail('a tensor has no name');
    const code = table.int(FIELDS.Tensor.data_type);
    const dtype = dataTypeOf(code);
    if (dtype === undefined || dtype === 'string') {
      return this.file.fail(`${place} is of type ${describeDataType(code)}, which is not read`);
    }
    const dims = table.longs(FIELDS.Tensor.dims);
    if (dims.some((dim) => dim < 0)) this.file.fail(`${place} has shape [${dims.join(', ')}]`);
    if (this.nominal) return { name, dtype, dims, data: new Uint8Array(0) };
    const expected = elementCount(dims) * BYTES_PER_ELEMENT[dtype];
    const data = this.#bytes(table, expected, place);
    if (data.byteLength !== expected) {
      this.file.fail(`${place} of shape [${dims.join(', ')}] takes ${expected} bytes, the file has ${data.byteLength}`);
    }
    return { name, dtype, dims, data };
  }

  #bytes(table: Table, expected: number, place: string): Uint8Array {
    const offset = table.long(FIELDS.Tensor.external_data_offset, -1);
    if (offset === -1) return table.bytes(FIELDS.Tensor.raw_data) ?? new Uint8Array(0);
    if (this.external === undefined) {
      return this.file.fail(`${place} lies in a file of its own, the checkpoint's name with .data, which is not there`);
    }
    if (!(offset >= 0 && offset + expected <= this.external.byteLength)) {
      this.file.fail(`${place} lies outside of the file with .data, of ${this.external.byteLength} bytes`);
    }
    return this.external.subarray(offset, offset + expected);
  }

  refuseTwice(tensors: readonly OrtTensor[]): void {
    const seen = new Set<string>();
    for (const { name } of tensors) {
      if (seen.has(name)) this.file.fail(`it holds the tensor "${printable(name)}" twice`);
      seen.add(name);
    }
  }

  group(table: Table): OrtOptimizerGroup {
    const fields = FIELDS.OptimizerGroup;
    const step = table.long(fields.step);
    if (step < 0) this.file.fail(`its optimizer stands at step ${step}`);
    return {
      name: table.text(fields.group_name),
      step,
      initialLearningRate: table.float(fields.initial_learning_rate),
      states: table.tables(fields.optimizer_states, 'ParameterOptimizerState').map((state) => ({
        parameter: state.text(FIELDS.ParameterOptimizerState.param_name),
        moments: this.tensors(state, FIELDS.ParameterOptimizerState.momentums),
      })),
    };
  }

  properties(bag: Table | undefined): OrtProperty[] {
    if (bag === undefined) return [];
    const { ints, floats, strings } = FIELDS.PropertyBag;
    const { name, value } = FIELDS.IntProperty;
    return [
      ...bag.tables(ints, 'IntProperty').map((table): OrtProperty => {
        return { name: table.text(name), kind: 'int', value: table.long(value) };
      }),
      ...bag.tables(floats, 'FloatProperty').map((table): OrtProperty => {
        return { name: table.text(name), kind: 'float', value: table.float(value) };
      }),
      ...bag.tables(strings, 'StringProperty').map((table): OrtProperty => {
        return { name: table.text(name), kind: 'string', value: table.text(value) };
      }),
    ];
  }
}
