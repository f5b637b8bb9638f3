/** A page that shows what a model has learned: what `node-vae explore` serves. */
import type { Dataset } from '../../data/dataset.js';
import type { Vae } from '../../vae/vae.js';
import { ArchiveSubject } from './archive-subject.js';
import { ModelSubject } from './model-subject.js';
import { type RunningServer, serve } from './server.js';
import type { Subject } from './subject.js';
import type { CurvePoint } from './types.js';

export type { CurvePoint } from './types.js';

export interface ExplorerAddress {
  /** Default 127.0.0.1: this machine only. With any other, the address has a token. */
  readonly host?: string;
  /** Default 0: any that is free. */
  readonly port?: number;
}

export interface ExploreModel extends ExplorerAddress {
  /** Lent: it stays open. */
  readonly vae: Vae;
  readonly name: string;
  /** Rows to show. Default: draws from the prior. */
  readonly data?: Dataset | undefined;
  /** Where the data come from, to be shown. */
  readonly path?: string | undefined;
  /** Of the run that made the model. */
  readonly curves?: readonly CurvePoint[] | undefined;
}

export interface Explorer {
  readonly address: string;
  close(): Promise<void>;
}

const MAX_DECODE_BYTES = 512 * 2 ** 20;

/** @throws VaeError ERR_VAE_PACKAGE where node-vae-explorer is not installed, ERR_VAE_IO where the port is taken. */
export function exploreModel({ vae, name, data, path = '', curves, ...address }: ExploreModel): Promise<Explorer> {
  return start(() => new ModelSubject({ vae, name, data, path, curves, maxDecodeBytes: MAX_DECODE_BYTES }), address);
}

export interface ExploreArchive extends ExplorerAddress {
  readonly path: string;
  /** Codec model. Default: the one that the archive embeds, or the package's own. */
  readonly model?: string | undefined;
}

/** @throws VaeError also ERR_VAE_FORMAT for what is no archive, ERR_VAE_REPRODUCIBILITY without its model. */
export async function exploreArchive({ path, model, ...address }: ExploreArchive): Promise<Explorer> {
  const subject = await ArchiveSubject.open(path, model);
  return start(() => subject, address);
}

async function start(open: () => Subject, { host = '127.0.0.1', port = 0 }: ExplorerAddress): Promise<Explorer> {
  const subject = open();
  let server: RunningServer;
  try {
    server = await serve({ subject, host, port });
  } catch (error) {
    await subject.close();
    throw error;
  }
  return {
    address: server.address,
    close: async () => {
      await server.close();
      await subject.close();
    },
  };
}
