/** A run of training, as it goes on. */
import { useState } from 'preact/hooks';
import { Curves } from './curves.js';
import { RowView } from './row-view.js';
import { type Store, useStore } from './store.js';
import { useAsked } from './use-asked.js';

export function RunView({ store }: { store: Store }) {
  useStore(store);
  const { run, curves = [], display } = store.model;
  const [asking, setAsking] = useState(false);
  const moment = useAsked(`moment ${run?.shown}`, async () => (await store.backend.part('moment'))?.arrays);
  if (!run) return null;
  const running = run.status === 'running' || run.status === 'starting';
  const order = async (op: 'stop' | 'checkpoint'): Promise<void> => {
    setAsking(true);
    try {
      await store.backend.ask(op);
      if (op === 'checkpoint') store.tell('A checkpoint was written.');
    } catch (error) {
      store.tell((error as Error).message);
    }
    setAsking(false);
  };
  return (
    <div class="page run">
      <div class="line">
        <h1>
          {
            { starting: 'Training begins', running: 'Training', stopping: 'Stopping', ended: 'Training has ended' }[
              run.status
            ]
          }
        </h1>
        <button
          type="button"
          disabled={!running || asking}
          title="Stops as Ctrl-C does: the model as it is now is saved"
          onClick={() => void order('stop')}
        >
          Stop
        </button>
        <button type="button" disabled={run.status !== 'running' || asking} onClick={() => void order('checkpoint')}>
          Write a checkpoint
        </button>
      </div>
      <progress max={Math.max(1, run.steps)} value={run.step} aria-label={`Step ${run.step} of ${run.steps}`} />
      <dl class="facts">
        <div>
          <dt>Epoch</dt>
          <dd>
            {run.epoch} <small>of {run.epochs}</small>
          </dd>
        </div>
        <div>
          <dt>Loss</dt>
          <dd>{run.loss === undefined ? '–' : run.loss.toFixed(2)}</dd>
        </div>
        <div>
          <dt>Rows per second</dt>
          <dd>
            {run.examplesPerSecond === undefined ? '–' : Math.round(run.examplesPerSecond).toLocaleString('en-US')}
          </dd>
        </div>
        <div>
          <dt>Time left</dt>
          <dd>{run.secondsLeft === undefined || !running ? '–' : duration(run.secondsLeft)}</dd>
        </div>
      </dl>
      {run.warnings.map((warning) => (
        <p key={warning} class="advice" role="note">
          {warning}
        </p>
      ))}
      {curves.length > 0 && <Curves points={curves} />}
      {moment && (
        <>
          <section aria-label="Reconstructions of this moment">
            <h2>
              Reconstructions <span class="muted">after epoch {run.shown}</span>
            </h2>
            <Rows
              display={display}
              values={moment['original'] as Float32Array}
              count={Number(moment['counts']?.[0])}
              name="Original"
              encoded
            />
            <Rows
              display={display}
              values={moment['rebuilt'] as Float32Array}
              count={Number(moment['counts']?.[0])}
              name="Reconstruction"
            />
          </section>
          <section aria-label="Samples of this moment">
            <h2>Samples</h2>
            <Rows
              display={display}
              values={moment['samples'] as Float32Array}
              count={Number(moment['counts']?.[1])}
              name="Sample"
            />
          </section>
        </>
      )}
      {!moment && <p class="muted">Pictures come with the first epoch that ends while this page is open.</p>}
    </div>
  );
}

function Rows({
  display,
  values,
  count,
  name,
  encoded,
}: {
  display: Store['model']['display'];
  values: Float32Array | undefined;
  count: number;
  name: string;
  encoded?: boolean;
}) {
  if (!values || !count) return null;
  const size = values.length / count;
  return (
    <div class={`strip of-${display.kind}`}>
      {Array.from({ length: count }, (_, index) => (
        <figure key={index} class="face">
          <RowView
            display={display}
            row={values.subarray(index * size, (index + 1) * size)}
            label={`${name} ${index + 1}`}
            small
            encoded={encoded ?? false}
          />
        </figure>
      ))}
    </div>
  );
}

function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  return whole < 60
    ? `${whole} s`
    : whole < 3600
      ? `${Math.floor(whole / 60)} min ${whole % 60} s`
      : `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
