import { render } from 'preact';
import { App } from './app.js';
import type { Backend } from './backend.js';
import { follow } from './follow.js';
import { LiveBackend } from './live.js';
import { StillBackend } from './still.js';
import { Store } from './store.js';
import './style.css';
import { tellFailures } from './use-asked.js';

async function start(): Promise<void> {
  const root = document.querySelector('#app')!;
  try {
    // An exported page has its files beside it; no server of ours is asked.
    const backend: Backend | undefined = (await StillBackend.open()) ?? (await LiveBackend.open());
    if (!backend) throw new Error('Neither a server of node-vae nor the files of an exported page are here.');
    const store = new Store(backend);
    document.title = `${backend.state.name} · node-vae explorer`;
    tellFailures((error) => store.tell(error.message));
    follow(store);
    render(<App store={store} />, root);
    if (location.search.includes('test')) Object.assign(globalThis, { explorerStore: store });
  } catch (error) {
    render(
      <p class="waiting" role="alert">
        {(error as Error).message}
      </p>,
      root,
    );
  }
}

void start();
