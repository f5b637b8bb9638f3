/** Numbers of the fields of checkpoint.fbs: their order there is what stands in files. */
export const FIELDS = {
  Tensor: {
    name: 0,
    doc_string: 1,
    dims: 2,
    data_type: 3,
    raw_data: 4,
    string_data: 5,
    external_data_offset: 6,
  },
  ModuleState: { requires_grad_params: 0, frozen_params: 1, is_nominal_state: 2, has_external_data: 3 },
  ParameterOptimizerState: { param_name: 0, momentums: 1 },
  OptimizerGroup: { group_name: 0, step: 1, initial_learning_rate: 2, optimizer_states: 3 },
  IntProperty: { name: 0, value: 1 },
  FloatProperty: { name: 0, value: 1 },
  StringProperty: { name: 0, value: 1 },
  PropertyBag: { ints: 0, floats: 1, strings: 2 },
  Checkpoint: { version: 0, module_state: 1, optimizer_groups: 2, property_bag: 3 },
} as const;

export const IDENTIFIER = 'ODTC';
export const CHECKPOINT_VERSION = 2;
