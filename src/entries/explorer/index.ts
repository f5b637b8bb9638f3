/** A page that shows what a model has learned: what `node-vae explore` serves. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dataset } from '../../data/dataset.js';
import type { FitControl } from '../../training/control.js';
import type { FitProgress } from '../../training/progress.js';
import type { Vae } from '../../vae/vae.js';
import { ArchiveSubject } from './archive-subject.js';
import type { WrittenPage } from './export.js';
import { ModelSubject } from './model-subject.js';
import { loadExplorerPackage } from './package.js';
import { RunSubject } from './run-subject.js';
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

/** Longer than pages wait for news. */
const GOODBYE_MS = 300;
const MAX_DECODE_BYTES = 512 * 2 ** 20;

/**
 * @throws VaeError ERR_VAE_PACKAGE where node-vae-explorer is not installed, ERR_VAE_IO where the port is taken; what
 *   encode() throws for data that the model does not take.
 */
export async function exploreModel({
  vae,
  name,
  data,
  path = '',
  curves,
  ...address
}: ExploreModel): Promise<Explorer> {
  if (data) {
    // What does not fit is said before the page is open.
    const first = data.take(1);
    const labels = vae.info.condition && first.labels ? { labels: Int32Array.from(first.labels.values) } : {};
    await vae.encode(first, labels);
  }
  return start(() => new ModelSubject({ vae, name, data, path, curves, maxDecodeBytes: MAX_DECODE_BYTES }), address);
}

/** @throws VaeError ERR_VAE_PACKAGE where node-vae-explorer is not installed. */
export async function requireExplorer(): Promise<void> {
  await loadExplorerPackage();
}

export interface ExportPage extends Omit<ExploreModel, 'host' | 'port'> {
  readonly folder: string;
  readonly signal: AbortSignal;
}

/** Writes the page of a model for a web server without Node. @throws VaeError as writePage(). */
export async function exportPage({
  folder,
  signal,
  vae,
  name,
  data,
  path = '',
  curves,
}: ExportPage): Promise<WrittenPage> {
  const { writePage } = await import('./export.js');
  return writePage(folder, { vae, name, data, path, curves, maxDecodeBytes: MAX_DECODE_BYTES }, signal);
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

export interface ExploreRun extends ExplorerAddress {
  /** The model that is trained. */
  readonly vae: Vae;
  readonly name: string;
  readonly training: Dataset;
  readonly validation?: Dataset | undefined;
  readonly path: string;
  /** What the page's button to stop does. */
  readonly stop: () => void;
}

export interface RunExplorer extends Explorer {
  /** To be called with every event of the run, from onProgress. */
  progress(event: FitProgress, control: FitControl): void;
}

/** A page for a run of training; where nobody looks at it, it takes nothing of the run. @throws VaeError as exploreModel(). */
export async function exploreRun({ host, port, ...options }: ExploreRun): Promise<RunExplorer> {
  const subject = new RunSubject({ validation: undefined, ...options });
  const address = { ...(host !== undefined && { host }), ...(port !== undefined && { port }) };
  const explorer = await start(() => subject, address);
  return {
    address: explorer.address,
    progress: (event, control) => subject.progress(event, control),
    close: async () => {
      subject.ended();
      // Pages are told before their connection is cut.
      await sleep(GOODBYE_MS);
      await explorer.close();
    },
  };
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
