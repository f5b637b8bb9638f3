import { z } from 'zod';
import { signalShape } from '../core/common-options.js';
import type { InputOf } from '../core/options.js';
import { labelsShape } from './call-options.js';

export const deviceSchema = z.strictObject({ ...signalShape, ...labelsShape });

/** Options of calls whose results stay in the execution provider's memory. */
export interface DeviceOptions extends InputOf<typeof deviceSchema> {}
